import { docker } from "../../engine/docker-cli.ts";
import type { Deployment } from "../stack/deployment.ts";
import { findDrift } from "./find.ts";
import { isByHand, manualRepairs } from "./repair-hints.ts";
import { report } from "./report.ts";

/** How an update repairs drift. */
interface DriftRepair {
  /** Arguments of `docker` that remove manually created objects under the stack's names before the update. */
  readonly commands: readonly (readonly string[])[];
  /** Ids of networks that these commands remove. */
  readonly networks: readonly string[];
  /** URNs of resources that the update must replace. It detects the rest itself with a refresh. */
  readonly replace: readonly string[];
}

/** Detects and reports drift, and plans its repair; undefined without drift. Changes nothing. */
export async function planRepair(
  stack: string,
  stackOption: string,
  deployment: Deployment,
): Promise<DriftRepair | undefined> {
  const drift = await findDrift(deployment, stackOption);
  if (drift.differences.length === 0) return undefined;
  console.error(`${report(stack, drift, deployment)}\n`);
  const left = manualRepairs(drift.differences);
  if (left !== "") console.error(`This is not repaired:\n${left}\n`);
  const commands = new Map<string, readonly string[]>();
  const replace = new Set<string>();
  for (const { urn, repair } of drift.differences) {
    if (repair === "replace") replace.add(urn);
    if (typeof repair === "string" || isByHand(repair)) continue;
    for (const command of repair) commands.set(command.join(" "), command);
  }
  return { commands: [...commands.values()], networks: networksOf(commands.values()), replace: [...replace] };
}

function networksOf(commands: Iterable<readonly string[]>): string[] {
  return [...commands].flatMap(([kind, verb, id = ""]) => (kind === "network" && verb === "rm" ? [id] : []));
}

/** Removes manually created objects under the stack's names, which would block the update. */
export async function removeBlockingObjects({ commands }: DriftRepair): Promise<void> {
  for (const command of commands) {
    console.error(`docker ${command.join(" ")}`);
    await docker(command);
  }
}
