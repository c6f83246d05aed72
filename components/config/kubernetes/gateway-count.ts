import type { ParsedConfig } from "../keys.ts";

type Standbys = Pick<ParsedConfig, "state" | "gatewayReplicas">;
type Counts = Pick<ParsedConfig, "gatewayReplicas" | "gatewayMaxReplicas">;

/** Whether an autoscaler sets the number of gateways in a cluster. */
export function isGatewayScaled({ gatewayReplicas, gatewayMaxReplicas }: Counts): boolean {
  return gatewayMaxReplicas > gatewayReplicas;
}

/** Whether a cluster may have more than one gateway at a time. */
export function hasSeveralGateways({ gatewayReplicas, gatewayMaxReplicas }: Counts): boolean {
  return Math.max(gatewayReplicas, gatewayMaxReplicas) > 1;
}

/** Whether one gateway in a cluster is active, with its state in memory, and the others stand by. */
export function hasStandbys({ state, gatewayReplicas }: Standbys): boolean {
  return state === "memory" && gatewayReplicas > 1;
}
