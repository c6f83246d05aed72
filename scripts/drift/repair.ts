import { docker } from "../../components/engine.ts";
import type { Deployment } from "../deployment.ts";
import { findDrift } from "./find.ts";
import { report } from "./report.ts";

/**
 * Looks for drift and prepares its repair: what was made by hand under a name of the stack is removed, as an update
 * could not make its own beside it. Returns what the update must be told to replace, and undefined when nothing drifted;
 * the rest it sees by itself, if it refreshes.
 */
export async function repairDrift(stack: string, deployment: Deployment): Promise<string[] | undefined> {
  const drift = await findDrift(deployment);
  if (drift.differences.length === 0) return undefined;
  console.error(`${report(stack, drift, deployment)}\n`);
  const done = new Set<string>();
  const replace = new Set<string>();
  for (const { urn, repair } of drift.differences) {
    if (repair === "replace") replace.add(urn);
    if (typeof repair === "string") continue;
    for (const command of repair) {
      const line = command.join(" ");
      if (done.has(line)) continue;
      done.add(line);
      console.error(`docker ${line}`);
      await docker(command);
    }
  }
  return [...replace];
}
