import { type KeyDefinition, keyLabel } from "../../../gateway/src/auth/api-keys.ts";
import { queryTimeoutMs, containerState, docker, EngineError } from "../../../engine/docker-cli.ts";

/**
 * Makes a gateway reload its keys, and returns an error message if it then has keys other than expected. A gateway that
 * does not run reads them when it starts.
 */
export async function reloadKeys(
  gateway: string,
  expected: readonly KeyDefinition[],
): Promise<string | undefined> {
  if ((await containerState(gateway))?.status !== "running") return undefined;
  let output: string;
  try {
    output = await docker(["exec", gateway, "node", "/app/control.cjs", "reload-keys"], {
      withinMs: queryTimeoutMs,
    });
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    // An older version without a key file, which the update is about to replace.
    if (/known are: drain|no file of keys/.test(error.message)) return undefined;
    return (await containerState(gateway))?.status === "running"
      ? `${gateway} did not confirm its keys: ${error.message}. It should reload them automatically within 2 s; check its log.`
      : undefined;
  }
  const inForce = output.trim().split("\n").toSorted();
  const labels = expected.map(keyLabel).toSorted();
  if (inForce.join() === labels.join()) return undefined;
  return `${gateway} has the keys ${inForce.join(", ")} instead of ${labels.join(", ")}: it mounts another volume. Run npm run up, which restores the stack's configuration.`;
}
