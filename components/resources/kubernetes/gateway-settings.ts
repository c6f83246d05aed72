import type { GatewayEnvironment } from "../../config/gateway-environment.ts";
import type { ParsedConfig } from "../../config/keys.ts";

// KEDA reads the metrics every five seconds, and the cluster may have to add a node.
const scheduledWithinSeconds = 60;

/** The variables of `gatewayEnvironment`, with those that a stack on Kubernetes has another default for. */
export function gatewaySettings(config: ParsedConfig): GatewayEnvironment {
  const { readyTimeoutSeconds, gatewayEnvironment } = config;
  // Where there may be no server at all, requests wait as long as the first one takes to start.
  const queueing = scalesToZero(config)
    ? { QUEUE_TIMEOUT_MS: String((readyTimeoutSeconds + scheduledWithinSeconds) * 1000) }
    : {};
  return { ...queueing, ...gatewayEnvironment };
}

function scalesToZero({ autoscaling, ollamaMinReplicas }: ParsedConfig): boolean {
  return autoscaling !== "none" && ollamaMinReplicas === 0;
}
