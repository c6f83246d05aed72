import { queryEngine } from "../../engine/docker-cli.ts";
import { containerPattern } from "../../engine/names.ts";
import { PulumiFailed } from "../stack/pulumi-cli.ts";
import type { Settings } from "../stack/settings.ts";
import { engineOf } from "../stack/stack-file.ts";

// A port that a stack chooses is free when its program looks, and its container is made later: another stack, or any
// program, may take it in between.

const tries = 5;

/** Runs an update, and again when it failed because ports that it chose itself were taken before it had them. */
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
      // An engine that is gone by now has nothing to say: what the update said stands.
      const lost = await portConflicts(stack, settings).catch(() => []);
      if (lost.length === 0) throw error;
      for (const { port, container } of lost)
        console.error(`Port ${port} was taken by another before ${container} had it: choosing again.`);
    }
  }
}

/** The containers of a stack that were not started because a port that it chose was taken. */
async function portConflicts(
  stack: string,
  settings: Settings,
): Promise<{ port: string; container: string }[]> {
  const engine = engineOf(stack);
  const filters = ["--filter", "status=created", "--filter", `name=${containerPattern(stack)}`];
  const text = await queryEngine(["container", "ls", "--all", "--format", "{{.Names}}", ...filters], {
    engine,
  });
  const lost = await Promise.all(
    text
      .split("\n")
      .filter(Boolean)
      .map(async (container) => {
        const key = container.endsWith("-ollama") ? "ollamaPort" : "gatewayPort";
        if (settings(key) !== "auto") return [];
        const said = await queryEngine(["container", "inspect", "--format", "{{.State.Error}}", container], {
          engine,
        });
        const port = takenPort(said);
        return port === undefined ? [] : { port, container };
      }),
  );
  return lost.flat();
}

/** The port, of those that stacks choose from, of which an engine says that it could not be bound: somebody has it. */
export function takenPort(said: string): string | undefined {
  // Another container has it; any program has it. Five digits, as no part of an IPv6 address has.
  return /:(\d{5})(?: failed: port is already allocated|\S*: (?:bind: )?address already in use)/.exec(
    said,
  )?.[1];
}
