import { isJsonObject } from "../../lib/json/exact-numbers.ts";
import { STEP_CHARACTERS } from "../limits/grammar-limits.ts";
import { visitObject } from "./object-schema.ts";
import { type JsonSchema, type Position, inside, invalidSchema, quoted } from "../limits/position.ts";
import type { SafeNode } from "../limits/safe-node.ts";
import { visitEnum } from "./value-schema.ts";
import type { WalkContext } from "./walk-context.ts";

/** What the converter sees of the parts of an allOf. */
interface Combined {
  readonly properties: Map<string, unknown>;
  readonly required: Set<string>;
  /** Values of enums, by their JSON, with the number of parts that contain them. */
  readonly values: Map<string, { readonly value: unknown; count: number }>;
}

/**
 * The converter merges the properties of all parts into one closed object, in which all are required except those of an
 * anyOf; or builds an enum of the values common to all parts.
 *
 * @returns undefined if the converter ignores the parts in favour of other keywords
 */
export function visitAllOf(walk: WalkContext, schema: JsonSchema, at: Position): SafeNode | undefined {
  const parts = partsOf(schema["allOf"], at);
  const combined: Combined = { properties: new Map(), required: new Set(), values: new Map() };
  for (const [index, part] of parts.entries()) {
    const below = inside(at, `allOf[${index}]`);
    const alternatives = asObject(part)?.["anyOf"];
    if (Array.isArray(alternatives)) {
      for (const each of alternatives) addPart(walk, combined, each, false, below);
    } else {
      addPart(walk, combined, part, true, below);
    }
  }
  const common = [...combined.values.values()].filter(({ count }) => count === parts.length);
  if (common.length > 0) return visitEnum(walk, { enum: common.map(({ value }) => value) }, at);
  if (combined.properties.size > 0) {
    if (parts.some((part) => hasOther(part))) walk.ignore(at, "allOf");
    walk.ignoreOthers(schema, at, "object", ["allOf"]);
    const properties = Object.fromEntries(combined.properties);
    return visitObject(walk, { properties, required: [...combined.required] }, at);
  }
  const isTyped = schema["type"] != null;
  if (isTyped || parts.length > 1) walk.ignore(at, "allOf");
  if (isTyped) return walk.visit({ ...schema, allOf: undefined }, { ...at, depth: at.depth + 1 });
  return walk.visit(parts[0], inside(at, "allOf[0]"));
}

function partsOf(value: unknown, at: Position): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0) return value;
  throw invalidSchema(inside(at, "allOf"), `allOf is a list of schemas, not ${quoted(value)}`, "Correct it");
}

/** Charges the budget for each hop, property and value, as many parts may refer to the same large one. */
function addPart(
  walk: WalkContext,
  combined: Combined,
  value: unknown,
  isRequired: boolean,
  at: Position,
): void {
  walk.budget.addSteps(1, at);
  const part = resolved(walk, value, at);
  const properties = asObject(part?.["properties"]);
  if (properties !== undefined) {
    const entries = Object.entries(properties);
    walk.budget.addSteps(entries.length, at);
    for (const [name, schema] of entries) {
      combined.properties.set(name, schema);
      if (isRequired) combined.required.add(name);
    }
    return;
  }
  const values = part?.["enum"];
  if (!Array.isArray(values)) return;
  const distinct = new Map<string, unknown>();
  for (const value of values as readonly unknown[]) {
    const json = JSON.stringify(value);
    walk.budget.addSteps(1 + json.length / STEP_CHARACTERS, at);
    distinct.set(json, value);
  }
  for (const [json, value] of distinct) {
    const known = combined.values.get(json);
    if (known === undefined) combined.values.set(json, { value, count: 1 });
    else known.count += 1;
  }
}

/**
 * The part itself, or the target of its reference.
 *
 * @throws ApiError for a circular reference
 */
function resolved(walk: WalkContext, value: unknown, at: Position): JsonSchema | undefined {
  let part = asObject(value);
  const passed = new Set<JsonSchema>();
  while (part !== undefined && typeof part["$ref"] === "string") {
    if (passed.has(part)) throw invalidSchema(at, "the reference leads back to itself", "Correct it");
    passed.add(part);
    part = asObject(at.document.resolve(part["$ref"], at, walk.budget).schema);
  }
  return part;
}

/** Whether a part has keywords besides its properties. */
function hasOther(part: unknown): boolean {
  const object = asObject(part);
  return (
    object !== undefined && ["properties", "$ref", "enum"].every((keyword) => object[keyword] === undefined)
  );
}

function asObject(value: unknown): JsonSchema | undefined {
  return isJsonObject(value) ? value : undefined;
}
