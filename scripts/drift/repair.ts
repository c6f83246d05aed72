import { docker } from "../../engine/docker-cli.ts";
import type { Deployment } from "../stack/deployment.ts";
import { findDrift } from "./find.ts";
import { isByHand, leftToPerson } from "./repair-hints.ts";
import { report } from "./report.ts";

/**
 * Looks for drift and prepares its repair: what was made by hand under a name of the stack is removed, as an update
 * could not make its own beside it. Returns what the update must be told to replace, and undefined when nothing drifted;
 * the rest it sees by itself, if it refreshes.
 *
 * @param check fails when there can be no update, before anything is removed for it
 */
export async function repairDrift(
  stack: string,
  stackOption: string,
  deployment: Deployment,
  check: () => Promise<unknown>,
): Promise<string[] | undefined> {
  const drift = await findDrift(deployment, stackOption);
  if (drift.differences.length === 0) return undefined;
  console.error(`${report(stack, drift, deployment)}\n`);
  const left = leftToPerson(drift.differences);
  if (left !== "") console.error(`This is not repaired:\n${left}\n`);
  const commands = new Map<string, readonly string[]>();
  const replace = new Set<string>();
  for (const { urn, repair } of drift.differences) {
    if (repair === "replace") replace.add(urn);
    if (typeof repair === "string" || isByHand(repair)) continue;
    for (const command of repair) commands.set(command.join(" "), command);
  }
  if (commands.size > 0) await check();
  for (const [line, command] of commands) {
    console.error(`docker ${line}`);
    await docker(command);
  }
  return [...replace];
}
