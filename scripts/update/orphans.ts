import { z } from "zod";
import { docker, queryEngine, queryLines } from "../../engine/docker-cli.ts";
import { containerPattern, namePattern, networkNameOf } from "../../engine/names.ts";
import { readDeployment } from "../stack/deployment.ts";
import { pulumi, PulumiFailed } from "../stack/pulumi-cli.ts";
import type { Settings } from "../stack/settings.ts";

// If the engine becomes unavailable while it creates a network or a container, the object may exist without being in any
// state, and block its name.

type Kind = "network" | "container";

interface Orphan {
  readonly kind: Kind;
  readonly id: string;
  readonly name: string;
}

interface Span {
  readonly from: number;
  readonly to: number;
}

const inspected = z.array(
  z.object({
    Id: z.string(),
    Name: z.string(),
    Created: z.string().transform((text) => Date.parse(text)),
  }),
);
const history = z.array(
  z.object({ result: z.string(), startTime: z.coerce.date(), endTime: z.coerce.date() }),
);
const updatesLookedAt = "20";
// The history has a resolution of seconds.
const stepMs = 1000;

/** Runs an update; if it fails because of orphans of an earlier failed update, removes them and retries. */
export async function retryAfterRemovingOrphans(
  stack: string,
  settings: Settings,
  env: NodeJS.ProcessEnv,
  update: () => Promise<void>,
): Promise<void> {
  // Newer objects may belong to a concurrent update that uses the same name.
  const startedAt = Date.now();
  for (;;) {
    try {
      await update();
      return;
    } catch (error) {
      if (!(error instanceof PulumiFailed)) throw error;
      // If the engine is unavailable, the update's own error stands.
      const found = await findOrphans(stack, settings, env, startedAt).catch(() => []);
      if (found.length === 0) throw error;
      for (const { kind, id, name } of found) {
        // Without force, so that objects in use stay and the update's own error stands.
        await docker([kind, "rm", id]).catch(() => {
          throw error;
        });
        console.error(`Removed the ${kind} ${name}, which an earlier failed update had created.`);
      }
      console.error("Continuing.");
    }
  }
}

/** Objects under the stack's names that failed updates created before a time and that are not in the state. */
async function findOrphans(
  stack: string,
  settings: Settings,
  env: NodeJS.ProcessEnv,
  before: number,
): Promise<Orphan[]> {
  const failed = await failedUpdates(stack, env);
  if (failed.length === 0) return [];
  const { resources } = await readDeployment(stack, env);
  const known = new Set(resources.map(({ id }) => id));
  const found = await Promise.all([
    list("network", [
      "--filter",
      `name=${namePattern(networkNameOf(stack, String(settings("networkName"))))}`,
    ]),
    // Containers in use have been started, which is a separate request after creating them.
    list("container", ["--all", "--filter", "status=created", "--filter", `name=${containerPattern(stack)}`]),
  ]);
  return found
    .flat()
    .filter(
      ({ id, created }) =>
        !known.has(id) && created < before && failed.some(({ from, to }) => from <= created && created <= to),
    );
}

async function failedUpdates(stack: string, env: NodeJS.ProcessEnv): Promise<Span[]> {
  const command = ["stack", "history", "--json", "--page-size", updatesLookedAt, "--stack", stack];
  return history
    .parse(JSON.parse(await pulumi(command, { env, output: "read" })))
    .filter(({ result }) => result === "failed")
    .map(({ startTime, endTime }) => ({ from: startTime.getTime(), to: endTime.getTime() + stepMs }));
}

async function list(kind: Kind, options: readonly string[]): Promise<(Orphan & { created: number })[]> {
  const ids = await queryLines([kind, "ls", "--quiet", "--no-trunc", ...options]);
  if (ids.length === 0) return [];
  return inspected
    .parse(JSON.parse(await queryEngine([kind, "inspect", ...ids])))
    .map(({ Id, Name, Created }) => ({ kind, id: Id, name: Name.replace(/^\//, ""), created: Created }));
}
