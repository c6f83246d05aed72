import type { Deployed } from "./deployment.ts";

/** The command that wrote the API keys of a deployed stack; undefined: it has no gateway with keys. */
export function deployedKeys(resources: readonly Deployed[]): Deployed | undefined {
  return resources.find(({ type, name }) => type === "command:local:Command" && name === "gateway-keys");
}
