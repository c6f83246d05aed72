import type { GatewayEnvironment } from "../../config/gateway-environment.ts";
import type { ParsedConfig } from "../../config/keys.ts";

// KEDA reads the metrics every five seconds, and the cluster may have to add a node.
const scheduledWithinSeconds = 60;

/** The variables of `gatewayEnvironment`, with different defaults for a stack on Kubernetes. */
export function gatewaySettings(config: ParsedConfig): GatewayEnvironment {
  const { readyTimeoutSeconds, gatewayEnvironment } = config;
  // When scaled to zero, requests wait for the first server to start.
  const queueing = scalesToZero(config)
    ? { QUEUE_TIMEOUT_MS: String((readyTimeoutSeconds + scheduledWithinSeconds) * 1000) }
    : {};
  return { ...queueing, ...gatewayEnvironment };
}

function scalesToZero({ autoscaling, ollamaMinReplicas }: ParsedConfig): boolean {
  return autoscaling !== "none" && ollamaMinReplicas === 0;
}
