import { beforeAll, expect, it } from "vitest";
import type { Cluster } from "../../test-support/cluster/cluster.ts";
import { customResourceDefinitions } from "../../test-support/cluster/addons/custom-resources.ts";
import { sharedCluster } from "../../test-support/cluster/shared-cluster.ts";
import { renderStack } from "../../test-support/components/render-cluster-stack.ts";

// A real API server accepts all objects of a stack with strict validation and admits their pods.

interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec?: {
    readonly template?: { readonly metadata: object; readonly spec: { readonly volumes: readonly object[] } };
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
  };
}

let cluster: Cluster | undefined;
const running = (): Cluster => {
  if (cluster === undefined) throw new Error("the API server is not running");
  return cluster;
};
const create = (yaml: string): string => running().kubectl(["apply", "--server-side", "--filename=-"], yaml);
const validate = (items: readonly object[]): string => {
  const list = JSON.stringify({ apiVersion: "v1", kind: "List", items });
  const options = ["--server-side", "--dry-run=server", "--validate=strict"];
  return running().kubectl(["apply", ...options, "--filename=-"], list);
};

beforeAll(async () => {
  const definitions = customResourceDefinitions();
  cluster = await sharedCluster();
  create(await definitions);
  const runtimeClass = { apiVersion: "node.k8s.io/v1", kind: "RuntimeClass", handler: "nvidia" };
  create(JSON.stringify({ ...runtimeClass, metadata: { name: "nvidia" } }));
  running().kubectl(["wait", "crd", "--all", "--for=condition=Established", "--timeout=60s"]);
});

/** The objects of a stack, without Pulumi's own resources. */
async function objectsOf(settings: Readonly<Record<string, unknown>>): Promise<KubernetesObject[]> {
  const { all } = await renderStack(settings);
  return all
    .filter(({ type }) => type.startsWith("kubernetes:"))
    .map(({ inputs }) => inputs as unknown as KubernetesObject);
}

/** The pod that a controller would create from a template. */
function podOf({ metadata: { name }, spec }: KubernetesObject, namespace: string): readonly object[] {
  const { template, volumeClaimTemplates = [] } = spec ?? {};
  if (template === undefined) return [];
  const claimed = volumeClaimTemplates.map((claim) => ({
    name: claim.metadata.name,
    persistentVolumeClaim: { claimName: `${claim.metadata.name}-${name}` },
  }));
  return [
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { ...template.metadata, name, namespace },
      spec: { ...template.spec, volumes: [...template.spec.volumes, ...claimed] },
    },
  ];
}

const outside = {
  ingressHostnames: ["llm.example.org", "chat.example.org"],
  ingressTlsSecret: "gateway-tls",
};

it.each<[string, Readonly<Record<string, unknown>>, readonly string[]]>([
  ["with default settings", {}, ["StatefulSet", "Deployment", "NetworkPolicy"]],
  [
    "with volumes, usage and images from a private registry",
    {
      namespace: "volumes",
      storageClass: "fast",
      gatewayUsageVolume: "usage",
      imagePullSecrets: ["registry"],
      retainModels: "true",
    },
    ["StatefulSet"],
  ],
  [
    "with folders on the nodes",
    { namespace: "folders", modelHostPath: "/srv/models", retainModels: "true" },
    ["StatefulSet"],
  ],
  [
    "with NVIDIA GPUs",
    { namespace: "nvidia", gpus: "all", gpusPerPod: "2", runtimeClass: "nvidia" },
    ["StatefulSet"],
  ],
  [
    "with AMD GPUs",
    {
      namespace: "amd",
      gpus: "all",
      gpusPerPod: "1",
      gpuResource: "amd.com/gpu",
      gpuGroups: [44, 992],
      ollamaImage: "ollama/ollama:0.17.4-rocm",
    },
    ["StatefulSet"],
  ],
  [
    "behind an Ingress",
    {
      ...outside,
      ingressClass: "nginx",
      ingressAnnotations: { "cert-manager.io/cluster-issuer": "letsencrypt" },
      gatewayAllowedSources: ["10.0.0.0/8", "fd00::/8", "namespace/ingress-nginx"],
      gatewayEnvironment: { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector.example.org:4318" },
    },
    ["Ingress"],
  ],
  ["behind a Gateway", { ...outside, gatewayClass: "eg" }, ["Gateway", "HTTPRoute"]],
  [
    "scaled by KEDA, down to zero",
    { autoscaling: "keda", ollamaMinReplicas: "0", podMonitor: "true" },
    ["ScaledObject", "TriggerAuthentication", "PodMonitor"],
  ],
  [
    "with several gateways that share their state, scaled by CPU usage",
    { namespace: "shared", state: "redis", gatewayReplicas: "2", gatewayMaxReplicas: "4" },
    ["HorizontalPodAutoscaler", "PodDisruptionBudget"],
  ],
  [
    "with a standby gateway",
    { namespace: "standby", gatewayReplicas: "2" },
    ["ServiceAccount", "Role", "RoleBinding", "PodDisruptionBudget"],
  ],
  [
    "with several gateways that share their state in an external store",
    {
      namespace: "elsewhere",
      state: "redis",
      gatewayReplicas: "2",
      stateAddress: "rediss://valkey.example.org:6380",
      statePasswordSecret: "valkey",
    },
    ["Deployment"],
  ],
  ["scaled by Kubernetes", { autoscaling: "hpa" }, ["HorizontalPodAutoscaler"]],
])("accepts all objects and pods of a stack %s", async (_stack, settings, kinds) => {
  const objects = await objectsOf(settings);
  expect(objects.map(({ kind }) => kind)).toEqual(expect.arrayContaining([...kinds]));
  const [namespaceObject] = objects.filter(({ kind }) => kind === "Namespace");
  if (namespaceObject === undefined) throw new Error("the stack declares no namespace");
  const namespace = namespaceObject.metadata.name;
  // Pods are only admitted with the service account that a controller creates.
  const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace } };
  const accounts = objects.filter(({ kind }) => kind === "ServiceAccount");
  create(JSON.stringify({ apiVersion: "v1", kind: "List", items: [namespaceObject, account, ...accounts] }));
  const pods = objects.flatMap((each) => podOf(each, namespace));
  const controlled = objects.filter(({ kind }) => kind === "StatefulSet" || kind === "Deployment");
  expect(pods).toHaveLength(controlled.length);
  expect(pods.length).toBeGreaterThanOrEqual(2);
  const accepted = validate([...objects.filter((each) => each !== namespaceObject), ...pods])
    .trim()
    .split("\n");
  expect(accepted).toHaveLength(objects.length - 1 + pods.length);
});

it("validation rejects an unknown field and a privileged pod", async () => {
  const objects = await objectsOf({ namespace: "refused" });
  const namespaceObject = objects.find(({ kind }) => kind === "Namespace");
  const account = {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "default", namespace: "refused" },
  };
  create(JSON.stringify({ apiVersion: "v1", kind: "List", items: [namespaceObject, account] }));
  const service = objects.find(({ kind }) => kind === "Service");
  expect(() => validate([{ ...service, spec: { ...service?.spec, unheard: true } }])).toThrow(
    /unknown field|field not declared/,
  );
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "root", namespace: "refused" },
    spec: { containers: [{ name: "root", image: "root:1" }] },
  };
  expect(() => validate([pod])).toThrow(/violates PodSecurity "restricted/);
});
