import { isJsonObject } from "../../lib/json/exact-numbers.ts";
import { STEPS_PER_SEARCHED_PART } from "./grammar-limits.ts";
import { type Position, type WorkBudget, invalidSchema } from "./position.ts";
import type { Definition } from "./safe-node.ts";

/**
 * Rejects definitions that only infinite values match, because each value contains another of the same kind. A model
 * constrained to one would generate until aborted.
 *
 * @throws ApiError naming the first one, or if the search would take too long
 */
export function refuseEndless(definitions: readonly Definition[], budget: WorkBudget): void {
  const ending = new Set<string>();
  let open = definitions;
  for (;;) {
    // Backwards, as definitions usually refer to later ones.
    const left = open.toReversed().filter(({ name, node, at }) => {
      const ends = node === undefined || canEnd(node.schema, { ending, budget, at });
      if (ends) ending.add(name);
      return !ends;
    });
    const [first] = left;
    if (first === undefined) return;
    if (left.length === open.length) {
      throw invalidSchema(
        left.at(-1)?.at ?? first.at,
        "it requires itself recursively, so that every value is infinite",
        "Make the reference to it optional, or allow null as an alternative",
      );
    }
    open = left.toReversed();
  }
}

interface Search {
  /** Names of definitions that have a finite value. */
  readonly ending: ReadonlySet<string>;
  /** Charged for each part, as every round examines all remaining definitions. */
  readonly budget: WorkBudget;
  readonly at: Position;
}

/** Whether a safe schema has a finite value. */
function canEnd(schema: unknown, search: Search): boolean {
  search.budget.addSteps(STEPS_PER_SEARCHED_PART, search.at);
  if (!isJsonObject(schema)) return true;
  const { $ref: reference, anyOf, properties, required, prefixItems, items, minItems } = schema;
  if (typeof reference === "string")
    return search.ending.has(reference.slice(reference.lastIndexOf("/") + 1));
  if (Array.isArray(anyOf)) return anyOf.some((each) => canEnd(each, search));
  if (Array.isArray(required)) {
    const all = isJsonObject(properties) ? properties : {};
    return required.every((name) => canEnd(all[name as string], search));
  }
  if (Array.isArray(prefixItems)) return prefixItems.every((each) => canEnd(each, search));
  return minItems === undefined || canEnd(items, search);
}
