import { type VariableName, variables } from "../../../gateway/src/config/config.ts";
import { hasSeveralGateways } from "./gateway-count.ts";
import type { ParsedConfig } from "../keys.ts";
import type { Rule } from "../rule.ts";

const MiB = 1024 * 1024;
// The rest is for Valkey's connection buffers and memory fragmentation.
const dataShare = 0.75;
// Slots, limits and connections.
const besidesResponsesMiB = 64;

/** Memory for data in the stack's own Valkey, in MiB. */
export function stateDataMiB({ stateMemoryMiB }: Pick<ParsedConfig, "stateMemoryMiB">): number {
  return Math.floor(stateMemoryMiB * dataShare);
}

/** A stored response takes up to twice its text's size in Valkey. */
function neededMiB({ gatewayEnvironment: { RESPONSE_STORE_LIMIT_BYTES: limit } }: ParsedConfig): number {
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

/** Rules for the state that several gateways in a cluster share. */
export const stateRules: readonly Rule[] = [
  {
    breaks: ({ state, gatewayMaxReplicas }) => state === "memory" && gatewayMaxReplicas > 1,
    path: "gatewayMaxReplicas",
    message:
      "1 while state is memory: each active gateway would have its own queue and limits; state redis shares them",
  },
  {
    breaks: ({ gatewayReplicas, gatewayMaxReplicas }) =>
      gatewayMaxReplicas > 1 && gatewayMaxReplicas < gatewayReplicas,
    path: "gatewayMaxReplicas",
    message: "1 for a fixed number of gateways, or else at least gatewayReplicas",
  },
  {
    breaks: (config) => config.gatewayUsageVolume !== "" && hasSeveralGateways(config),
    path: "gatewayUsageVolume",
    message: "empty while there may be several gateways: all of them would write the same file",
  },
  {
    // With standbys, KEDA reads the metrics of the active gateway.
    breaks: (config) =>
      config.autoscaling === "keda" && config.state !== "memory" && hasSeveralGateways(config),
    path: "autoscaling",
    message:
      "none or hpa while several gateways may be active: keda would read the metrics of only one of them",
  },
  {
    breaks: ({ state, stateAddress }) => state === "memory" && stateAddress !== "",
    path: "stateAddress",
    message: "empty while state is memory",
  },
  {
    breaks: ({ stateAddress, statePasswordSecret }) => stateAddress === "" && statePasswordSecret !== "",
    path: "statePasswordSecret",
    message: "empty while stateAddress is empty: the stack generates the password of its own Valkey",
  },
  {
    breaks: (config) =>
      config.state === "redis" && config.stateAddress === "" && stateDataMiB(config) < neededMiB(config),
    path: "stateMemoryMiB",
    message: `more: three quarters of it are for data and must hold twice RESPONSE_STORE_LIMIT_BYTES plus ${String(besidesResponsesMiB)} MiB`,
  },
  ...Object.entries(setByKeys).map(([name, why]) => fixed(name as keyof typeof setByKeys, why)),
];
