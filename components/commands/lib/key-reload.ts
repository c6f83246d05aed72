import { type KeyDefinition, keyLabel } from "../../../gateway/src/auth/api-keys.ts";
import { queryTimeoutMs, containerState, docker, EngineError } from "../../../engine/docker-cli.ts";

/**
 * Has a gateway read its keys at once, and returns what is wrong if it does not have exactly those expected then. One
 * that does not run reads them when it starts.
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
    // Of an earlier version, without a file of keys: the update is about to replace it.
    if (/known are: drain|no file of keys/.test(error.message)) return undefined;
    return (await containerState(gateway))?.status === "running"
      ? `${gateway} does not confirm its keys: ${error.message}. It reads them within 2 s by itself if it can; its log says so.`
      : undefined;
  }
  const inForce = output.trim().split("\n").toSorted();
  const labels = expected.map(keyLabel).toSorted();
  if (inForce.join() === labels.join()) return undefined;
  return `${gateway} has the keys ${inForce.join(", ")} instead of ${labels.join(", ")}: another volume is mounted in it. Run npm run up, which brings it back to what the stack says.`;
}
