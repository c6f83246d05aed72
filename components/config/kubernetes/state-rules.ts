import { type VariableName, variables } from "../../../gateway/src/config/config.ts";
import { hasSeveralGateways } from "./gateway-count.ts";
import type { GivenConfig } from "../keys.ts";
import type { Rule } from "../rule.ts";

const MiB = 1024 * 1024;
// Besides its data, Valkey holds what it sends and receives, and memory that it has not given back.
const dataShare = 0.75;
// Slots, limits and connections.
const besidesResponsesMiB = 64;

/** How much memory the data in the stack's own Valkey may take. */
export function stateDataMiB({ stateMemoryMiB }: Pick<GivenConfig, "stateMemoryMiB">): number {
  return Math.floor(stateMemoryMiB * dataShare);
}

/** A response that is stored takes more memory in Valkey than its text. */
function neededMiB({ gatewayEnvironment: { RESPONSE_STORE_LIMIT_BYTES: limit } }: GivenConfig): number {
  const bytes = Number(limit ?? variables.RESPONSE_STORE_LIMIT_BYTES.default);
  return (2 * bytes) / MiB + besidesResponsesMiB;
}

const setByKeys = {
  SHARED_STATE: "state and stateAddress set it",
  SHARED_STATE_PASSWORD_FILE: "statePasswordSecret sets it",
} as const satisfies Partial<Record<VariableName, string>>;

const fixed = (name: keyof typeof setByKeys, why: string): Rule => ({
  breaks: ({ gatewayEnvironment: { [name]: value } }) =>
    value !== undefined && value !== variables[name].default,
  path: "gatewayEnvironment",
  inside: name,
  message: `left out while engine is kubernetes: ${why}`,
  toRemove: true,
});

/** What several gateways in a cluster share, and where they may not share anything. */
export const stateRules: readonly Rule[] = [
  {
    breaks: ({ state, gatewayMaxReplicas }) => state === "memory" && gatewayMaxReplicas > 1,
    path: "gatewayMaxReplicas",
    message:
      "1 while state is memory: each gateway would have a queue and limits of its own, which state redis has them share",
  },
  {
    breaks: ({ gatewayReplicas, gatewayMaxReplicas }) =>
      gatewayMaxReplicas > 1 && gatewayMaxReplicas < gatewayReplicas,
    path: "gatewayMaxReplicas",
    message: "1 for a number of gateways that is fixed, or gatewayReplicas or more",
  },
  {
    breaks: (config) => config.gatewayUsageVolume !== "" && hasSeveralGateways(config),
    path: "gatewayUsageVolume",
    message: "empty while there may be several gateways: all of them would write one file",
  },
  {
    // With standbys, it reads those of the active one.
    breaks: (config) =>
      config.autoscaling === "keda" && config.state !== "memory" && hasSeveralGateways(config),
    path: "autoscaling",
    message: "none or hpa while several gateways may be active: keda would read the metrics of one of them",
  },
  {
    breaks: ({ state, stateAddress }) => state === "memory" && stateAddress !== "",
    path: "stateAddress",
    message: "empty while state is memory",
  },
  {
    breaks: ({ stateAddress, statePasswordSecret }) => stateAddress === "" && statePasswordSecret !== "",
    path: "statePasswordSecret",
    message: "empty while stateAddress is empty: the stack makes the password of its own Valkey",
  },
  {
    breaks: (config) =>
      config.state === "redis" && config.stateAddress === "" && stateDataMiB(config) < neededMiB(config),
    path: "stateMemoryMiB",
    message: `more: three quarters of it are for data, and have to hold twice RESPONSE_STORE_LIMIT_BYTES and ${String(besidesResponsesMiB)} MiB`,
  },
  ...Object.entries(setByKeys).map(([name, why]) => fixed(name as keyof typeof setByKeys, why)),
];
