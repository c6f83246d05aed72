import { isDeepStrictEqual } from "node:util";
import type { ParsedConfig } from "./keys.ts";
import type { Rule } from "./rule.ts";

// Keys that only one engine supports. Setting one for the other engine is an error, because it would have no effect.

interface EngineKey {
  /** The default, and other values that have no effect. */
  readonly unset: readonly unknown[];
  /** Why the other engine does not support it. */
  readonly why: string;
}

type EngineKeys = Readonly<Partial<Record<keyof ParsedConfig, EngineKey>>>;

const only = (why: string, ...unset: unknown[]): EngineKey => ({ unset, why });

const placed = "it selects a Docker engine";
const published = "the gateway is published by a Service";
const counted = "the kubelet limits the processes of a pod";

/** Keys that stacks on Kubernetes do not support. */
export const dockerKeys: EngineKeys = {
  production: only("its rules check Docker resources", false),
  dockerHost: only(placed, ""),
  dockerCertPath: only(placed, ""),
  networkName: only("pods use the cluster's network", ""),
  imagePlatform: only(
    "npm run image -- --platform sets the platform of the gateway's image, and each node pulls the other images for its own platform",
    "",
  ),
  trustedCertificates: only("pods do not get them yet", ""),
  ollamaPort: only("Ollama is not published there", 8008, 0),
  ollamaBindAddress: only("Ollama is not published there", "127.0.0.1"),
  ollamaPids: only(counted, 1024),
  modelVolume: only("each pod has its own volume", ""),
  protectModels: only("the volumes belong to the cluster", false),
  gatewayBindAddress: only(published, "127.0.0.1"),
  gatewayPids: only(counted, 128),
  edge: only(published, "none"),
  monitoring: only("Prometheus is not deployed there yet", "none"),
};

const cluster = "there is no cluster";
const ownServer = "gatewayEnvironment.SHARED_STATE names a server that you run, as docs/scaling.md shows";

/** Keys that stacks on Docker do not support. */
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
  gpuResource: only("gpus selects the GPUs", "nvidia.com/gpu"),
  gpusPerPod: only("gpus selects the GPUs", 0),
  gpuGroups: only(cluster, []),
  runtimeClass: only(cluster, ""),
  ingressClass: only("edge serves TLS", ""),
  gatewayClass: only("edge serves TLS", ""),
  ingressHostnames: only("edgeHostnames sets the names", []),
  ingressTlsSecret: only("edge serves TLS", ""),
  ingressAnnotations: only(cluster, {}),
  gatewayAllowedSources: only("gatewayBindAddress restricts access", []),
  autoscaling: only("ollamaReplicas sets the number", "none"),
  ollamaMinReplicas: only("ollamaReplicas sets the number", 1),
  ollamaMaxReplicas: only("ollamaReplicas sets the number", 4),
  podMonitor: only("monitoring deploys Prometheus", false),
  state: only(ownServer, "memory"),
  stateAddress: only(ownServer, ""),
  statePasswordSecret: only(ownServer, ""),
  stateImage: only(ownServer, "valkey/valkey:8.1.8"),
  stateMemoryMiB: only(ownServer, 512),
  gatewayMaxReplicas: only("gatewayReplicas sets the number", 1),
};

const other = { docker: "kubernetes", kubernetes: "docker" } as const;

/** One rule for each key that only one engine supports. */
export const engineRules: readonly Rule[] = (["docker", "kubernetes"] as const).flatMap((engine) =>
  Object.entries(engine === "docker" ? dockerKeys : clusterKeys).map(([key, { unset, why }]) => ({
    breaks: (config: ParsedConfig) =>
      config.engine !== engine &&
      !unset.some((value) => isDeepStrictEqual(config[key as keyof ParsedConfig], value)),
    path: key as keyof ParsedConfig,
    message: `left out while engine is ${other[engine]}: ${why}`,
    toRemove: true,
  })),
);
