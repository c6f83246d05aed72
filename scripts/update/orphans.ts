import { z } from "zod";
import { queryEngine, docker } from "../../engine/docker-cli.ts";
import { containerPattern, namePattern, networkNameOf } from "../../engine/names.ts";
import { readDeployment } from "../stack/deployment.ts";
import { pulumi, PulumiFailed } from "../stack/pulumi-cli.ts";
import type { Settings } from "../stack/settings.ts";

// An engine that goes away while it makes a network or a container may have made it, and nobody knows: it is
// in no state, and its name is taken.

type Kind = "network" | "container";

interface Found {
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
// The history counts in seconds.
const stepMs = 1000;

/** Runs an update, and again when it failed and an earlier one that failed had left something half made. */
export async function retryAfterRemovingOrphans(
  stack: string,
  settings: Settings,
  env: NodeJS.ProcessEnv,
  update: () => Promise<void>,
): Promise<void> {
  // What was made since may be another's, who took a name at the same time.
  const startedAt = Date.now();
  for (;;) {
    try {
      await update();
      return;
    } catch (error) {
      if (!(error instanceof PulumiFailed)) throw error;
      // An engine that is gone by now has nothing to say: what the update said stands.
      const found = await halfMade(stack, settings, env, startedAt).catch(() => []);
      if (found.length === 0) throw error;
      for (const { kind, id, name } of found) {
        // Not by force: what is in use by now stays, and what the update said of it stands.
        await docker([kind, "rm", id]).catch(() => {
          throw error;
        });
        console.error(`The engine had made the ${kind} ${name} when an earlier update failed: removed it.`);
      }
      console.error("Going on.");
    }
  }
}

/** What a failed update made, before a time, under a name of the stack, and no state knows. */
async function halfMade(
  stack: string,
  settings: Settings,
  env: NodeJS.ProcessEnv,
  before: number,
): Promise<Found[]> {
  const failed = await failedUpdates(stack, env);
  if (failed.length === 0) return [];
  const { resources } = await readDeployment(stack, env);
  const known = new Set(resources.map(({ id }) => id));
  const found = await Promise.all([
    look("network", [
      "--filter",
      `name=${namePattern(networkNameOf(stack, String(settings("networkName"))))}`,
    ]),
    // Containers in use have been started: that is another request than the one that makes them.
    look("container", ["--all", "--filter", "status=created", "--filter", `name=${containerPattern(stack)}`]),
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

async function look(kind: Kind, options: readonly string[]): Promise<(Found & { created: number })[]> {
  const ids = (await queryEngine([kind, "ls", "--quiet", "--no-trunc", ...options]))
    .split("\n")
    .filter(Boolean);
  if (ids.length === 0) return [];
  return inspected
    .parse(JSON.parse(await queryEngine([kind, "inspect", ...ids])))
    .map(({ Id, Name, Created }) => ({ kind, id: Id, name: Name.replace(/^\//, ""), created: Created }));
}
