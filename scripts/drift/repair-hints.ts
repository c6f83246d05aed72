import type { Difference, Repair } from "./difference.ts";

/** How drift is repaired: by `npm run up`, and what that leaves to a person. `stackOption` names the stack. */
export function mend(differences: readonly Difference[], stackOption: string): string {
  const left = leftToPerson(differences);
  const repaired = differences.some(({ repair }) => !isByHand(repair));
  if (!repaired) return `npm run up${stackOption} does not repair this:\n${left}`;
  const up = `Repair it with: npm run up${stackOption}`;
  return left === "" ? up : `${up}\nIt does not repair this:\n${left}`;
}

/** What a person has to do, a line for each resource; empty when nothing. */
export function leftToPerson(differences: readonly Difference[]): string {
  const lines = differences.flatMap(({ resource, repair }) =>
    isByHand(repair) ? `  ${resource}: ${repair.byHand}` : [],
  );
  return [...new Set(lines)].join("\n");
}

export function isByHand(repair: Repair): repair is Extract<Repair, { readonly byHand: string }> {
  return typeof repair === "object" && "byHand" in repair;
}
