import type { Difference, Repair } from "./difference.ts";

/** Explains which drift `npm run up` repairs, and what must be repaired manually. `stackOption` selects the stack. */
export function repairHints(differences: readonly Difference[], stackOption: string): string {
  const left = manualRepairs(differences);
  const repaired = differences.some(({ repair }) => !isByHand(repair));
  if (!repaired) return `npm run up${stackOption} does not repair this:\n${left}`;
  const up = `Repair it with: npm run up${stackOption}`;
  return left === "" ? up : `${up}\nIt does not repair this:\n${left}`;
}

/** The manual repairs, one line for each resource; empty if there are none. */
export function manualRepairs(differences: readonly Difference[]): string {
  const lines = differences.flatMap(({ resource, repair }) =>
    isByHand(repair) ? `  ${resource}: ${repair.byHand}` : [],
  );
  return [...new Set(lines)].join("\n");
}

export function isByHand(repair: Repair): repair is Extract<Repair, { readonly byHand: string }> {
  return typeof repair === "object" && "byHand" in repair;
}
