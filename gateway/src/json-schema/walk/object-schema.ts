import { isJsonObject } from "../../lib/json/exact-numbers.ts";
import { MAX_EXCLUDED_NAME_BYTES, MAX_NAME_BYTES } from "../limits/grammar-limits.ts";
import { type JsonSchema, type Position, inside, invalidSchema, quoted } from "../limits/position.ts";
import { type SafeNode, literalNode } from "../limits/safe-node.ts";
import { patternValues } from "./pattern-properties.ts";
import type { WalkContext } from "./walk-context.ts";

/** Characters that the converter can exclude from property names; it writes them into character classes unescaped. */
const EXCLUDABLE_NAME = /^[ !#-[_-~]*$/;

/** `_build_object_rule`. Without additionalProperties, the converter closes an object. */
export function visitObject(walk: WalkContext, schema: JsonSchema, at: Position): SafeNode {
  const declared = propertiesOf(schema["properties"] ?? {}, at);
  const required = new Set<unknown>(Array.isArray(schema["required"]) ? schema["required"] : []);
  const { properties, optional } = visitProperties(walk, declared, required, at);
  const names = Object.keys(properties);
  const byPattern = patternValues(schema);
  const additional =
    byPattern === undefined
      ? visitAdditional(walk, ["additionalProperties", schema["additionalProperties"]], names, at)
      : visitAdditional(walk, ["patternProperties", byPattern.values], names, at);
  walk.budget.addOptionalProperties(optional, at);
  walk.budget.addBytes(64, at);

  const isRequired = names.filter((name) => required.has(name));
  if (required.size > isRequired.length) walk.ignore(at, "required");
  walk.ignoreOthers(schema, at, "object", [
    "properties",
    "required",
    "additionalProperties",
    ...(byPattern?.hasAnyName === true ? ["patternProperties"] : []),
    // All properties are evaluated in a closed object, and in one of which all names match a pattern.
    ...(additional === undefined || byPattern !== undefined ? ["unevaluatedProperties"] : []),
    ...(additional === undefined ? ["propertyNames"] : []),
  ]);
  return literalNode({
    type: "object",
    properties,
    ...(isRequired.length > 0 ? { required: isRequired } : {}),
    ...(additional === undefined ? {} : { additionalProperties: additional }),
  });
}

function propertiesOf(value: unknown, at: Position): JsonSchema {
  if (isJsonObject(value)) return value;
  throw invalidSchema(
    inside(at, "properties"),
    `properties are an object of schemas, not ${quoted(value)}`,
    "Correct it",
  );
}

function visitProperties(
  walk: WalkContext,
  value: JsonSchema,
  required: ReadonlySet<unknown>,
  at: Position,
): { properties: JsonSchema; optional: string[] } {
  const optional: string[] = [];
  const properties = Object.entries(value).flatMap(([name, schema]) => {
    const bytes = checkName(name, at);
    const below = inside(inside(at, "properties"), name, bytes + 1);
    if (schema === false && !required.has(name)) {
      walk.ignore(at, `properties.${name}`);
      return [];
    }
    const isOptional = !required.has(name);
    if (isOptional) optional.push(name);
    // A rule for the pair, for an optional one another for its successors, and their names in the object's rule.
    walk.budget.addBytes((isOptional ? 6 : 3) * (below.nameBytes + 24) + 2 * bytes, below);
    return [[name, walk.visit(schema, below).schema] as const];
  });
  return { properties: Object.fromEntries(properties), optional };
}

/** @returns its length in bytes */
function checkName(name: string, at: Position): number {
  const bytes = Buffer.byteLength(name);
  const below = inside(inside(at, "properties"), name);
  if (name === "$ref") {
    throw invalidSchema(
      below,
      "Ollama mistakes a property named $ref for a reference",
      "Give it another name",
    );
  }
  if (!name.isWellFormed()) {
    throw invalidSchema(at, "a property's name contains an unpaired surrogate", "Correct it");
  }
  if (bytes > MAX_NAME_BYTES) {
    throw invalidSchema(below, `a property's name has more than ${MAX_NAME_BYTES} bytes`, "Shorten it");
  }
  return bytes;
}

/** @returns undefined for a closed object */
function visitAdditional(
  walk: WalkContext,
  [keyword, value]: readonly [keyword: string, value: unknown],
  names: readonly string[],
  at: Position,
): JsonSchema | true | undefined {
  if (value !== true && !isJsonObject(value)) return undefined;
  const excludable = names.every(
    (name) => EXCLUDABLE_NAME.test(name) && name.length <= MAX_EXCLUDED_NAME_BYTES,
  );
  if (!excludable) {
    // Only the declared properties: still valid for the schema.
    walk.ignore(at, keyword);
    return undefined;
  }
  const excluded = names.reduce((sum, name) => sum + name.length, 0);
  const below = inside(at, keyword, "-additional-value".length);
  walk.budget.addBytes(4 * (below.nameBytes + 32) + 32 * excluded, below);
  return value === true || Object.keys(value).length === 0 ? true : walk.visit(value, below).schema;
}
