import { docker, EngineError, queryTimeoutMs } from "../../engine/docker-cli.ts";
import type { Deployed } from "../stack/deployment.ts";
import type { InspectedContainer } from "./container.ts";
import type { Difference } from "./difference.ts";

const control = ["node", "/app/control.cjs"];

/**
 * Finds gateways and Ollama servers that an interrupted update drained but did not replace. They would get no requests for
 * at least 10 minutes, and the next update could drain the others meanwhile.
 *
 * @param running the stack's running containers
 */
export async function compareDrains(
  containers: readonly Deployed[],
  commands: readonly Deployed[],
  running: readonly InspectedContainer[],
): Promise<Difference[]> {
  const gateways = new Set(commands.flatMap(gatewaysOf));
  const differences = await Promise.all(
    containers.map(async ({ id, name: resource, urn, inputs }) => {
      const name = String(inputs["name"]);
      if (!gateways.has(name) || !running.some(({ Id }) => Id === id)) return [];
      return (await drainedIn(name)).map((target): Difference => {
        const isSelf = target === "this gateway";
        return {
          urn,
          resource: `${resource} (${name})`,
          property: isSelf ? "requests" : `requests to ${target}`,
          expected: "accepted",
          actual: "drained",
          repair: [["exec", name, ...control, "return", ...(isSelf ? [] : [target])]],
        };
      });
    }),
  );
  return differences.flat();
}

/** The gateways that a resource drains, or in which it drains an Ollama server. */
function gatewaysOf({ inputs }: Deployed): string[] {
  const environment = (inputs["environment"] ?? {}) as Readonly<Record<string, string>>;
  const { CONTAINER_NAME: container = "", DRAIN_EDGE: edge, DRAIN_GATEWAYS: gateways } = environment;
  if (edge === undefined) return [];
  return gateways === undefined ? [container] : gateways.split(",");
}

/** Empty for an older gateway, which does not know the command, and for one that does not respond. */
async function drainedIn(gateway: string): Promise<string[]> {
  try {
    const output = await docker(["exec", gateway, ...control, "drained"], { withinMs: queryTimeoutMs });
    return output.split("\n").filter((line) => line !== "");
  } catch (error) {
    if (error instanceof EngineError) return [];
    throw error;
  }
}
