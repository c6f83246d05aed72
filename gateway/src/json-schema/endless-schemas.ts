import { isJsonObject } from "../lib/json/exact-numbers.ts";
import { invalidSchema } from "./position.ts";
import type { Definition } from "./safe-node.ts";

/**
 * Refuses definitions that only endless values fit: each value holds another of the same kind. A model that is held to
 * one generates until it is cut off.
 *
 * @throws ApiError that names the first
 */
export function refuseEndless(definitions: readonly Definition[]): void {
  const ending = new Set<string>();
  let open = definitions;
  for (;;) {
    // Backwards: what a definition refers to comes after it, as a rule.
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
        "it requires itself again and again, so that no value of it ends",
        "Make what refers to it optional, or offer null beside it",
      );
    }
    open = left.toReversed();
  }
}

/** Whether a safe schema has a value that is made of parts that can end. */
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
