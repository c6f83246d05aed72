import type { Deployed } from "./deployment.ts";

/** The resource that wrote a deployed stack's API keys; undefined if its gateway has no keys. */
export function deployedKeys(resources: readonly Deployed[]): Deployed | undefined {
  return resources.find(({ type, name }) => type === "command:local:Command" && name === "gateway-keys");
}
