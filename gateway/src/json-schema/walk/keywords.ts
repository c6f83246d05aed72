import { isJsonObject } from "../../lib/json/exact-numbers.ts";
import { FORMATS } from "../limits/grammar-limits.ts";

/** Keywords that constrain values of every type. */
const GENERAL = [
  "not",
  "if",
  "allOf",
  "anyOf",
  "oneOf",
  "enum",
  "const",
  "$ref",
  "$dynamicRef",
  "$recursiveRef",
];
const STRING = ["minLength", "maxLength", "pattern"];
const NUMBER = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
const ARRAY = [
  "items",
  "prefixItems",
  "additionalItems",
  "unevaluatedItems",
  "minItems",
  "maxItems",
  "uniqueItems",
  "contains",
];
const OBJECT = [
  "properties",
  "required",
  "additionalProperties",
  "patternProperties",
  "propertyNames",
  "minProperties",
  "maxProperties",
  "dependentRequired",
  "dependentSchemas",
  "dependencies",
  "unevaluatedProperties",
];

const BY_TYPE: Readonly<Record<string, ReadonlySet<string>>> = {
  string: new Set([...GENERAL, ...STRING]),
  number: new Set([...GENERAL, ...NUMBER]),
  integer: new Set([...GENERAL, ...NUMBER]),
  array: new Set([...GENERAL, ...ARRAY]),
  object: new Set([...GENERAL, ...OBJECT]),
  any: new Set([...GENERAL, ...STRING, ...NUMBER, ...ARRAY, ...OBJECT]),
};
const ONLY_GENERAL: ReadonlySet<string> = new Set(GENERAL);

/** Keywords that constrain values of a type, without annotations. */
export function keywordsOf(type: string): ReadonlySet<string> {
  return BY_TYPE[type] ?? ONLY_GENERAL;
}

/**
 * Number of keywords of a schema and of the members of their values, as far as a walk examines them. Annotations such
 * as `examples` count once, whatever their size.
 */
export function keywordCount(schema: Readonly<Record<string, unknown>>): number {
  const examined = keywordsOf("any");
  let count = 0;
  for (const [keyword, value] of Object.entries(schema)) {
    count += 1;
    if (!examined.has(keyword) && keyword !== "type") continue;
    if (Array.isArray(value)) count += value.length;
    else if (isJsonObject(value)) count += Object.keys(value).length;
  }
  return count;
}

/** Keywords for which true is a constraint, unlike a schema of true. */
const FLAGS: ReadonlySet<string> = new Set(["not", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum"]);

/** Whether a keyword's value constrains nothing. */
export function isTrivial(keyword: string, value: unknown): boolean {
  if (typeof value === "boolean") return value !== FLAGS.has(keyword);
  if (value === 0) return /^min[A-Z]/.test(keyword);
  if (value === undefined || value === null) return keyword !== "const";
  // Every name is a string; Zod says so for each record.
  if (keyword === "propertyNames" && isJsonObject(value))
    return Object.entries(value).every(([key, type]) => key === "type" && type === "string");
  const isContainer = Array.isArray(value) || isJsonObject(value);
  return isContainer && Object.keys(value).length === 0 && keyword !== "not";
}

/** Keywords from which the converter makes a grammar of its own, whatever the type. */
const ENFORCED = [
  "$ref",
  "$dynamicRef",
  "$recursiveRef",
  "oneOf",
  "anyOf",
  "allOf",
  "const",
  "enum",
  "pattern",
];
const ENFORCED_UNLESS_TRIVIAL = ["properties", "additionalProperties", "items", "prefixItems"];
/** Keywords that it applies to their own type only. */
const ENFORCED_FOR_TYPE: ReadonlyMap<unknown, readonly string[]> = new Map([
  ["string", ["minLength", "maxLength"]],
  ["integer", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]],
]);

/** Whether the grammar of a part of a schema may allow less than the type beside it. */
export function isEnforced(part: unknown, typeBeside: unknown): boolean {
  if (part === true) return false;
  if (!isJsonObject(part)) return true;
  const { format, type } = part;
  if (type != null && type !== typeBeside) return true;
  if ((type ?? "string") === "string" && typeof format === "string" && FORMATS.test(format)) return true;
  const forType = ENFORCED_FOR_TYPE.get(type) ?? [];
  return (
    ENFORCED.some((keyword) => part[keyword] !== undefined) ||
    [...ENFORCED_UNLESS_TRIVIAL, ...forType].some((keyword) => hasKeyword(part, keyword))
  );
}

/** Whether a part of a schema constrains anything, apart from its type. */
export function hasConstraint(part: unknown): boolean {
  if (!isJsonObject(part)) return part === false;
  return [...keywordsOf("any")].some((keyword) => hasKeyword(part, keyword));
}

function hasKeyword(part: Readonly<Record<string, unknown>>, keyword: string): boolean {
  return Object.hasOwn(part, keyword) && !isTrivial(keyword, part[keyword]);
}
