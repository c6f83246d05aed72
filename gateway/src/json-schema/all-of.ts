import { isJsonObject } from "../lib/json/exact-numbers.ts";
import { visitObject } from "./object-schema.ts";
import { type Position, inside, invalidSchema, quoted } from "./position.ts";
import type { JsonSchema } from "./references.ts";
import type { SafeNode } from "./safe-node.ts";
import { visitEnum } from "./value-schema.ts";
import type { WalkContext } from "./walk-context.ts";

/** What the parts of an allOf come to, as far as the converter looks. */
interface Combined {
  readonly properties: Map<string, unknown>;
  readonly required: Set<string>;
  /** Values of enums, by their JSON, with how many parts have them. */
  readonly values: Map<string, { readonly value: unknown; count: number }>;
}

/**
 * The converter makes one closed object of the properties of all parts, each required but those of an anyOf, or one
 * enum of the values that all parts have.
 *
 * @returns undefined when it makes nothing of the parts, and of what is beside them something
 */
export function visitAllOf(walk: WalkContext, schema: JsonSchema, at: Position): SafeNode | undefined {
  const parts = partsOf(schema["allOf"], at);
  const combined: Combined = { properties: new Map(), required: new Set(), values: new Map() };
  for (const [index, part] of parts.entries()) {
    const below = inside(at, `allOf[${index}]`);
    const alternatives = asObject(part)?.["anyOf"];
    if (Array.isArray(alternatives)) {
      for (const each of alternatives) addPart(combined, each, false, below);
    } else {
      addPart(combined, part, true, below);
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

function partsOf(given: unknown, at: Position): readonly unknown[] {
  if (Array.isArray(given) && given.length > 0) return given;
  throw invalidSchema(inside(at, "allOf"), `allOf is a list of schemas, not ${quoted(given)}`, "Correct it");
}

function addPart(combined: Combined, given: unknown, isRequired: boolean, at: Position): void {
  const part = resolved(given, at);
  const properties = asObject(part?.["properties"]);
  if (properties !== undefined) {
    for (const [name, schema] of Object.entries(properties)) {
      combined.properties.set(name, schema);
      if (isRequired) combined.required.add(name);
    }
    return;
  }
  const values = part?.["enum"];
  if (!Array.isArray(values)) return;
  const distinct = new Map(values.map((value: unknown) => [JSON.stringify(value), value]));
  for (const [json, value] of distinct) {
    const known = combined.values.get(json);
    if (known === undefined) combined.values.set(json, { value, count: 1 });
    else known.count += 1;
  }
}

/** The part itself, or what its reference leads to. @throws ApiError for one that leads to itself */
function resolved(given: unknown, at: Position): JsonSchema | undefined {
  let part = asObject(given);
  const passed = new Set<JsonSchema>();
  while (part !== undefined && typeof part["$ref"] === "string") {
    if (passed.has(part)) throw invalidSchema(at, "the reference leads back to itself", "Correct it");
    passed.add(part);
    part = asObject(at.document.resolve(part["$ref"], at).schema);
  }
  return part;
}

/** Whether a part says something beside its properties. */
function hasOther(part: unknown): boolean {
  const object = asObject(part);
  return (
    object !== undefined && ["properties", "$ref", "enum"].every((keyword) => object[keyword] === undefined)
  );
}

function asObject(value: unknown): JsonSchema | undefined {
  return isJsonObject(value) ? value : undefined;
}
