import { partBinary } from "../../../toolchain/binaries.ts";
import { clusterParts } from "../../../toolchain/cluster-binaries.ts";
import type { Cluster } from "../cluster.ts";
import { customResourceDefinitions } from "./custom-resources.ts";
import { programImage } from "../images.ts";

// A common ingress controller: Traefik, which serves Ingresses and the Gateway API.

/** The name of its IngressClass and of its GatewayClass. */
export const traefikClass = "traefik";

const image = "localhost/traefik:1";
const namespace = "traefik";
const metadata = { name: "traefik", namespace };
const labels = { app: "traefik" };
const httpsPort = 443;

const readsKinds = (group: string, ...resources: string[]) => ({
  apiGroups: [group],
  resources,
  verbs: ["get", "list", "watch"],
});
const gatewayApi = "gateway.networking.k8s.io";
const routes = ["gateways", "httproutes", "grpcroutes", "tlsroutes", "backendtlspolicies"];

const rules = [
  readsKinds("", "namespaces", "nodes", "services", "secrets", "configmaps"),
  readsKinds("discovery.k8s.io", "endpointslices"),
  readsKinds("networking.k8s.io", "ingresses", "ingressclasses"),
  readsKinds(gatewayApi, "gatewayclasses", "referencegrants", ...routes),
  {
    apiGroups: [gatewayApi],
    resources: ["gatewayclasses", ...routes].map((each) => `${each}/status`),
    verbs: ["update"],
  },
];

const objects = [
  { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
  { apiVersion: "v1", kind: "ServiceAccount", metadata },
  { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata: { name: "traefik" }, rules },
  {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name: "traefik" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "traefik" },
    subjects: [{ kind: "ServiceAccount", ...metadata }],
  },
  {
    apiVersion: "networking.k8s.io/v1",
    kind: "IngressClass",
    metadata: { name: traefikClass },
    spec: { controller: "traefik.io/ingress-controller" },
  },
  {
    apiVersion: `${gatewayApi}/v1`,
    kind: "GatewayClass",
    metadata: { name: traefikClass },
    spec: { controllerName: "traefik.io/gateway-controller" },
  },
  {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata,
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: "traefik",
          containers: [
            {
              name: "traefik",
              image,
              imagePullPolicy: "Never",
              args: [
                `--entryPoints.websecure.address=:${String(httpsPort)}`,
                "--entryPoints.websecure.http.tls=true",
                "--entryPoints.ping.address=:8080",
                "--ping.entryPoint=ping",
                "--providers.kubernetesIngress=true",
                "--providers.kubernetesGateway=true",
                "--global.checkNewVersion=false",
                "--global.sendAnonymousUsage=false",
              ],
              ports: [{ name: "https", containerPort: httpsPort }],
              readinessProbe: { httpGet: { path: "/ping", port: 8080 }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  },
  {
    apiVersion: "v1",
    kind: "Service",
    metadata,
    spec: { selector: labels, ports: [{ name: "https", port: httpsPort }] },
  },
];

/** Installs the controller in a cluster. Returns the address at which it serves HTTPS. */
export async function startTraefik(cluster: Cluster): Promise<string> {
  cluster.loadArchive(programImage(cluster.folder, image, partBinary(clusterParts.traefik)));
  cluster.kubectl(["apply", "--server-side", "--filename=-"], await customResourceDefinitions());
  cluster.kubectl(["wait", "crd", "--all", "--for=condition=Established", "--timeout=60s"]);
  cluster.apply({ apiVersion: "v1", kind: "List", items: objects });
  cluster.kubectl(["rollout", "status", "deployment/traefik", `--namespace=${namespace}`, "--timeout=120s"]);
  const { spec } = cluster.get("service", "traefik", `--namespace=${namespace}`) as {
    readonly spec: { readonly clusterIP: string };
  };
  return spec.clusterIP;
}
