import { beforeAll, expect, it } from "vitest";
import type { Cluster } from "../../test-support/cluster/cluster.ts";
import { customResourceDefinitions } from "../../test-support/cluster/addons/custom-resources.ts";
import { sharedCluster } from "../../test-support/cluster/shared-cluster.ts";
import { renderStack } from "../../test-support/components/render-cluster-stack.ts";

// A real API server takes everything that a stack declares, with no field that it does not know, and lets the pods in.

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
  if (cluster === undefined) throw new Error("the API server does not run");
  return cluster;
};
const create = (yaml: string): string => running().kubectl(["apply", "--server-side", "--filename=-"], yaml);
const check = (items: readonly object[]): string => {
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
async function objectsOf(set: Readonly<Record<string, unknown>>): Promise<KubernetesObject[]> {
  const { all } = await renderStack(set);
  return all
    .filter(({ type }) => type.startsWith("kubernetes:"))
    .map(({ inputs }) => inputs as unknown as KubernetesObject);
}

/** The pod that a controller would make of a template. */
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
  ["that sets nothing", {}, ["StatefulSet", "Deployment", "NetworkPolicy"]],
  [
    "with volumes, usage and images of a registry with a password",
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
    "with folders of the nodes",
    { namespace: "folders", modelHostPath: "/srv/models", retainModels: "true" },
    ["StatefulSet"],
  ],
  [
    "with GPUs of NVIDIA",
    { namespace: "nvidia", gpus: "all", gpusPerPod: "2", runtimeClass: "nvidia" },
    ["StatefulSet"],
  ],
  [
    "with GPUs of AMD",
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
    "scaled by KEDA, down to nothing",
    { autoscaling: "keda", ollamaMinReplicas: "0", podMonitor: "true" },
    ["ScaledObject", "TriggerAuthentication", "PodMonitor"],
  ],
  [
    "with several gateways that share their state, scaled by their processor time",
    { namespace: "shared", state: "redis", gatewayReplicas: "2", gatewayMaxReplicas: "4" },
    ["HorizontalPodAutoscaler", "PodDisruptionBudget"],
  ],
  [
    "with gateways that stand by",
    { namespace: "standby", gatewayReplicas: "2" },
    ["ServiceAccount", "Role", "RoleBinding", "PodDisruptionBudget"],
  ],
  [
    "with several gateways that share their state elsewhere",
    {
      namespace: "elsewhere",
      state: "redis",
      gatewayReplicas: "2",
      stateAddress: "rediss://valkey.example.org:6380",
      statePasswordSecret: "valkey",
    },
    ["Deployment"],
  ],
  ["scaled by Kubernetes itself", { autoscaling: "hpa" }, ["HorizontalPodAutoscaler"]],
])("takes all objects and pods of a stack %s", async (_what, set, kinds) => {
  const objects = await objectsOf(set);
  expect(objects.map(({ kind }) => kind)).toEqual(expect.arrayContaining([...kinds]));
  const [place] = objects.filter(({ kind }) => kind === "Namespace");
  if (place === undefined) throw new Error("the stack declares no namespace");
  const namespace = place.metadata.name;
  // Pods are only let in beside an account that controllers make.
  const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace } };
  const accounts = objects.filter(({ kind }) => kind === "ServiceAccount");
  create(JSON.stringify({ apiVersion: "v1", kind: "List", items: [place, account, ...accounts] }));
  const pods = objects.flatMap((each) => podOf(each, namespace));
  const controlled = objects.filter(({ kind }) => kind === "StatefulSet" || kind === "Deployment");
  expect(pods).toHaveLength(controlled.length);
  expect(pods.length).toBeGreaterThanOrEqual(2);
  const taken = check([...objects.filter((each) => each !== place), ...pods])
    .trim()
    .split("\n");
  expect(taken).toHaveLength(objects.length - 1 + pods.length);
});

it("refuses what the check is for: a field that Kubernetes does not know, and a pod with rights", async () => {
  const objects = await objectsOf({ namespace: "refused" });
  const place = objects.find(({ kind }) => kind === "Namespace");
  const account = {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "default", namespace: "refused" },
  };
  create(JSON.stringify({ apiVersion: "v1", kind: "List", items: [place, account] }));
  const service = objects.find(({ kind }) => kind === "Service");
  expect(() => check([{ ...service, spec: { ...service?.spec, unheard: true } }])).toThrow(
    /unknown field|field not declared/,
  );
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "root", namespace: "refused" },
    spec: { containers: [{ name: "root", image: "root:1" }] },
  };
  expect(() => check([pod])).toThrow(/violates PodSecurity "restricted/);
});
