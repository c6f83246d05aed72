import { queryEngine, queryLines } from "../../engine/docker-cli.ts";
import { containerPattern } from "../../engine/names.ts";
import { PulumiFailed } from "../stack/pulumi-cli.ts";
import type { Settings } from "../stack/settings.ts";
import { engineOf } from "../stack/stack-file.ts";

// A chosen port is free when the program checks it, but the container is created later: another program may take the port in
// between.

const tries = 5;

/** Runs an update; if it fails because chosen ports were taken in the meantime, chooses others and retries. */
export async function retryOnPortConflict(
  stack: string,
  settings: Settings,
  update: () => Promise<void>,
): Promise<void> {
  for (let tried = 1; ; tried += 1) {
    try {
      await update();
      return;
    } catch (error) {
      if (!(error instanceof PulumiFailed) || tried === tries) throw error;
      // If the engine is unavailable, the update's own error stands.
      const lost = await portConflicts(stack, settings).catch(() => []);
      if (lost.length === 0) throw error;
      for (const { port, container } of lost)
        console.error(`Port ${port} was taken before ${container} could bind it: choosing another.`);
    }
  }
}

/** The containers of a stack that were not started because a chosen port was taken. */
async function portConflicts(
  stack: string,
  settings: Settings,
): Promise<{ port: string; container: string }[]> {
  const engine = engineOf(stack);
  const filters = ["--filter", "status=created", "--filter", `name=${containerPattern(stack)}`];
  const list = ["container", "ls", "--all", "--format", "{{.Names}}", ...filters];
  const containers = await queryLines(list, { engine });
  const lost = await Promise.all(
    containers.map(async (container) => {
      if (settings(portKeyOf(container)) !== "auto") return [];
      const error = await queryEngine(["container", "inspect", "--format", "{{.State.Error}}", container], {
        engine,
      });
      const port = takenPort(error);
      return port === undefined ? [] : { port, container };
    }),
  );
  return lost.flat();
}

/** The config key of a container's published port. Only the first Ollama publishes one. */
function portKeyOf(container: string): string {
  const [, kind] = /-(ollama|prometheus)(?:-\d+)?$/.exec(container) ?? [];
  return kind === undefined ? "gatewayPort" : `${kind}Port`;
}

/** Parses an engine's error about a port in use, if it is in the range that stacks choose from. */
export function takenPort(error: string): string | undefined {
  // Held by a container, or by any program. Five digits, which no part of an IPv6 address has.
  return /:(\d{5})(?: failed: port is already allocated|\S*: (?:bind: )?address already in use)/.exec(
    error,
  )?.[1];
}
