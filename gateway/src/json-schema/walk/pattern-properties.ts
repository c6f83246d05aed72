import { isJsonObject } from "../../lib/json/exact-numbers.ts";
import type { JsonSchema } from "../limits/position.ts";

/** Patterns that match every name. */
const ANY_NAME = /^\^?(?:\.\*|\(\.\*\))?\$?$/;

interface PatternValues {
  /** The schema of every property. */
  readonly values: unknown;
  /** Whether the patterns allow any name. */
  readonly hasAnyName: boolean;
}

/**
 * The schema of the properties of an object that may only have those of its patterns, such as a record of TypeBox: the
 * converter would allow none, or of any kind. Undefined for other objects.
 */
export function patternValues(schema: JsonSchema): PatternValues | undefined {
  const patterns = schema["patternProperties"];
  const declared = schema["properties"];
  if (!isJsonObject(patterns)) return undefined;
  if (isJsonObject(declared) && Object.keys(declared).length > 0) return undefined;
  const all = Object.entries(patterns).find(
    ([pattern, value]) => ANY_NAME.test(pattern) && isJsonObject(value),
  );
  if (all !== undefined) return { values: all[1], hasAnyName: Object.keys(patterns).length === 1 };
  const rest = schema["additionalProperties"] ?? schema["unevaluatedProperties"];
  const possible = Object.values(patterns).filter((value) => value !== false);
  if (rest !== false || possible.length === 0) return undefined;
  return { values: possible.length === 1 ? possible[0] : { anyOf: possible }, hasAnyName: false };
}
