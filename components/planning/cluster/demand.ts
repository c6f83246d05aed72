import { objectTypes, optionalKinds } from "../../config/kubernetes/cluster-objects.ts";
import { hasStandbys, isGatewayScaled } from "../../config/kubernetes/gateway-count.ts";
import { type NamespaceRight, standbyRights } from "../../config/kubernetes/standby-rights.ts";
import { gpuTolerations } from "../../config/kubernetes/gpu-tolerations.ts";
import type { ParsedConfig } from "../../config/keys.ts";
import type { NodeDemand } from "./nodes.ts";
import type { OptionalObject } from "./rights.ts";

/** A stack's requirements on its cluster. */
export interface ClusterDemand extends NodeDemand {
  readonly kubeconfig: string;
  readonly kubeContext: string;
  readonly namespace: string;
  readonly storageClass: string;
  /** Name of the existing Secret with the shared state's password; empty for none. */
  readonly statePasswordSecret: string;
  /** Name of the existing claim for the gateway's usage; empty for none. */
  readonly gatewayUsageVolume: string;
  /** Whether an autoscaler needs CPU metrics. */
  readonly needsCpuMetrics: boolean;
  /** The objects that depend on the config. */
  readonly optional: readonly OptionalObject[];
  /** Permissions that the stack grants to its pods. Nobody can grant a permission that they lack. */
  readonly granted: readonly NamespaceRight[];
}

/** The config keys that the demand depends on. */
export const demandKeys = [
  "kubeconfig",
  "kubeContext",
  "storageClass",
  "ollamaReplicas",
  "nodeSelector",
  "tolerations",
  "gpus",
  "gpuResource",
  "gpusPerPod",
  "ingressClass",
  "ingressHostnames",
  "autoscaling",
  "ollamaMinReplicas",
  "podMonitor",
  "gatewayReplicas",
  "gatewayMaxReplicas",
  "state",
  "statePasswordSecret",
  "gatewayUsageVolume",
] as const satisfies readonly (keyof ParsedConfig)[];

/** Derives the cluster requirements from a config. */
export function demandOf(
  config: Pick<ParsedConfig, (typeof demandKeys)[number]>,
  namespace: string,
): ClusterDemand {
  const { autoscaling, ollamaMinReplicas, ollamaReplicas } = config;
  const { gpus, gpuResource: resource, gpusPerPod: count } = config;
  const { kubeconfig, kubeContext, storageClass, nodeSelector, tolerations } = config;
  return {
    kubeconfig,
    kubeContext,
    namespace,
    storageClass,
    statePasswordSecret: config.statePasswordSecret,
    gatewayUsageVolume: config.gatewayUsageVolume,
    needsCpuMetrics: isGatewayScaled(config),
    replicas: autoscaling === "none" ? ollamaReplicas : Math.max(1, ollamaMinReplicas),
    replicasKey: autoscaling === "none" ? "ollamaReplicas" : "ollamaMinReplicas",
    nodeSelector,
    tolerations: [...tolerations, ...gpuTolerations(config)],
    gpuRequest: gpus === "none" ? undefined : { resource, count },
    optional: optionalKinds(config).map((kind) => ({ kind, ...objectTypes[kind], by: reason(kind, config) })),
    granted: hasStandbys(config) ? standbyRights : [],
  };
}

type Reasons = Pick<ParsedConfig, "ingressClass" | "autoscaling">;

/** The setting that adds a kind, for messages. */
function reason(kind: string, { autoscaling }: Reasons): string {
  if (kind === "Ingress") return "ingressClass";
  if (kind === "PodMonitor") return "podMonitor";
  if (kind === "Gateway" || kind === "HTTPRoute") return "gatewayClass";
  if (kind === "ServiceAccount" || kind.startsWith("Role")) return "gatewayReplicas";
  if (kind === "HorizontalPodAutoscaler" && autoscaling !== "hpa") return "gatewayMaxReplicas";
  return `autoscaling ${autoscaling}`;
}
