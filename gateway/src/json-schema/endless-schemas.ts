import { isJsonObject } from "../lib/json/exact-numbers.ts";
import { invalidSchema } from "./position.ts";
import type { Definition } from "./safe-node.ts";

/**
 * Rejects definitions that only infinite values match, because each value contains another of the same kind. A model
 * constrained to one would generate until aborted.
 *
 * @throws ApiError naming the first one
 */
export function refuseEndless(definitions: readonly Definition[]): void {
  const ending = new Set<string>();
  let open = definitions;
  for (;;) {
    // Backwards, as definitions usually refer to later ones.
    const left = open.toReversed().filter(({ name, node }) => {
      const ends = node === undefined || canEnd(node.schema, ending);
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

/** Whether a safe schema has a finite value. */
function canEnd(schema: unknown, ending: ReadonlySet<string>): boolean {
  if (!isJsonObject(schema)) return true;
  const { $ref: reference, anyOf, properties, required, prefixItems, items, minItems } = schema;
  if (typeof reference === "string") return ending.has(reference.slice(reference.lastIndexOf("/") + 1));
  if (Array.isArray(anyOf)) return anyOf.some((each) => canEnd(each, ending));
  if (Array.isArray(required)) {
    const all = isJsonObject(properties) ? properties : {};
    return required.every((name) => canEnd(all[name as string], ending));
  }
  if (Array.isArray(prefixItems)) return prefixItems.every((each) => canEnd(each, ending));
  return minItems === undefined || canEnd(items, ending);
}
