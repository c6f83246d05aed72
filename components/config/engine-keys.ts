import { isDeepStrictEqual } from "node:util";
import type { GivenConfig } from "./keys.ts";
import type { Rule } from "./rule.ts";

// Which keys one engine alone can honour. A key that is set for the other one is refused: it would do nothing.

interface EngineKey {
  /** What it is where nothing sets it, and whatever else asks for nothing. */
  readonly unset: readonly unknown[];
  /** Why the other engine cannot honour it. */
  readonly why: string;
}

type EngineKeys = Readonly<Partial<Record<keyof GivenConfig, EngineKey>>>;

const only = (why: string, ...unset: unknown[]): EngineKey => ({ unset, why });

const placed = "it names an engine of Docker";
const published = "the gateway is published by a Service";
const counted = "the kubelet limits the processes of a pod";

/** What stacks on Kubernetes do not have. */
export const dockerKeys: EngineKeys = {
  production: only("its rules look at Docker's objects", false),
  dockerHost: only(placed, ""),
  dockerCertPath: only(placed, ""),
  networkName: only("pods are in the cluster's network", ""),
  imagePlatform: only(
    "npm run image -- --platform chooses the platform of the gateway's image, and each node pulls the others for its own",
    "",
  ),
  trustedCertificates: only("pods do not get them yet", ""),
  ollamaPort: only("Ollama is not published there", 8008, 0),
  ollamaBindAddress: only("Ollama is not published there", "127.0.0.1"),
  ollamaPids: only(counted, 1024),
  modelVolume: only("each pod has a volume of its own", ""),
  protectModels: only("the volumes belong to the cluster", false),
  gatewayBindAddress: only(published, "127.0.0.1"),
  gatewayPids: only(counted, 128),
  edge: only(published, "none"),
  monitoring: only("Prometheus is not deployed there yet", "none"),
};

const cluster = "there is no cluster";
const ownServer = "gatewayEnvironment.SHARED_STATE names a server that you run, as docs/scaling.md shows";

/** What stacks on Docker do not have. */
export const clusterKeys: EngineKeys = {
  kubeconfig: only(cluster, ""),
  kubeContext: only(cluster, ""),
  namespace: only(cluster, ""),
  storageClass: only(cluster, ""),
  modelStorageGiB: only(cluster, 50),
  gatewayImage: only("the gateway's image is built on the engine", ""),
  nodeSelector: only(cluster, {}),
  tolerations: only(cluster, []),
  imageRegistry: only("the gateway's image is built on the engine", ""),
  imagePullSecrets: only(cluster, []),
  modelHostPath: only("modelVolume names an existing volume", ""),
  gpuResource: only("gpus says which GPUs", "nvidia.com/gpu"),
  gpusPerPod: only("gpus says which GPUs", 0),
  gpuGroups: only(cluster, []),
  runtimeClass: only(cluster, ""),
  ingressClass: only("edge serves TLS", ""),
  gatewayClass: only("edge serves TLS", ""),
  ingressHostnames: only("edgeHostnames has the names", []),
  ingressTlsSecret: only("edge serves TLS", ""),
  ingressAnnotations: only(cluster, {}),
  gatewayAllowedSources: only("gatewayBindAddress says who reaches it", []),
  autoscaling: only("ollamaReplicas says how many", "none"),
  ollamaMinReplicas: only("ollamaReplicas says how many", 1),
  ollamaMaxReplicas: only("ollamaReplicas says how many", 4),
  podMonitor: only("monitoring measures it", false),
  state: only(ownServer, "memory"),
  stateAddress: only(ownServer, ""),
  statePasswordSecret: only(ownServer, ""),
  stateImage: only(ownServer, "valkey/valkey:8.1.8"),
  stateMemoryMiB: only(ownServer, 512),
  gatewayMaxReplicas: only("gatewayReplicas says how many", 1),
};

const other = { docker: "kubernetes", kubernetes: "docker" } as const;

/** One rule for each key that only one engine has. */
export const engineRules: readonly Rule[] = (["docker", "kubernetes"] as const).flatMap((engine) =>
  Object.entries(engine === "docker" ? dockerKeys : clusterKeys).map(([key, { unset, why }]) => ({
    breaks: (config: GivenConfig) =>
      config.engine !== engine &&
      !unset.some((value) => isDeepStrictEqual(config[key as keyof GivenConfig], value)),
    path: key as keyof GivenConfig,
    message: `left out while engine is ${other[engine]}: ${why}`,
    toRemove: true,
  })),
);
