import { type Chance, randomly } from "../random-values.ts";
import { schemaPatterns } from "./schema-patterns.ts";

export type RandomSchema = Record<string, unknown>;

const NAMES = [
  "a",
  "b",
  "name",
  "value",
  "größe",
  "日本",
  "a b",
  "x-y",
  'q"uote',
  "br]ack",
  "back\\slash",
  "",
  "^",
  "string",
  "root",
  "*",
];
const TYPES = ["object", "array", "string", "number", "integer", "boolean", "null"];
const FORMATS = ["date", "time", "date-time", "uuid", "email", "uri", "ipv4", "hostname", "regex", "x-own"];
const COUNTS = [0, 0, 1, 2, 3, 5, 10, 100, 2000, 2001, 2002, 3000, 1e6, 1e12, 2.5];
const NUMBERS = [
  0,
  1,
  -1,
  5,
  -5,
  10,
  99,
  100,
  1.5,
  -0.5,
  1e9,
  -1e9,
  1e15,
  -1e15,
  2 ** 53 - 1,
  -(2 ** 53) + 1,
  2 ** 63,
  -(2 ** 63),
  1e300,
];
const VALUES = [
  "a",
  "",
  "é",
  "😀",
  'q"',
  "b\\",
  "line\n",
  0,
  -1,
  1.5,
  1e21,
  true,
  false,
  null,
  [],
  {},
  [1, "x"],
  { k: { l: [null] } },
];
const WRONG = [5, "text", null, [], {}, true, [5], { type: "objekt" }];
const REFERENCES = [
  "#",
  "#/$defs/one",
  "#/$defs/two",
  "#/$defs/a~1b%20c",
  "#/properties/a",
  "#anchor",
  "#/$defs/none",
  "#/definitions/old",
  "https://example.com/x.json",
  "one.json",
];

/**
 * Random JSON Schemas, the same for the same seed: every keyword of draft 2020-12, nested, with patterns that clients
 * send. Most are valid, some have a mistake.
 */
export function randomSchemas(seed: number, count: number): RandomSchema[] {
  const chance = randomly(seed);
  return Array.from({ length: count }, () => rootSchema(chance));
}

function rootSchema(chance: Chance): RandomSchema {
  const root = schema(chance, 3) as RandomSchema | boolean;
  const own: RandomSchema = typeof root === "boolean" ? { type: "object", properties: { any: root } } : root;
  if (!chance.often(0.4)) return own;
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    ...own,
    $defs: {
      one: schema(chance, 1),
      two: schema(chance, 2),
      "a/b c": { type: "string", $anchor: "anchor" },
    },
    ...(chance.often(0.3) ? { definitions: { old: schema(chance, 1) } } : {}),
  };
}

function schema(chance: Chance, depth: number): unknown {
  if (chance.often(0.03)) return chance.often(0.7);
  if (chance.often(0.01)) return chance.pick(WRONG);
  const made: RandomSchema = { ...base(chance, depth) };
  if (chance.often(0.15))
    Object.assign(made, { title: "Title", description: "What it is", default: "x", examples: ["y"] });
  if (chance.often(0.05)) made["$comment"] = "a comment";
  if (chance.often(0.1)) Object.assign(made, extra(chance, depth));
  // A mistake.
  if (chance.often(0.02)) made[chance.pick(Object.keys(made).concat("type"))] = chance.pick(WRONG);
  return made;
}

function base(chance: Chance, depth: number): RandomSchema {
  const kind = chance.number();
  if (kind < 0.08) return { $ref: chance.pick(REFERENCES) };
  if (kind < 0.14) return { enum: some(chance, VALUES, 1, 4) };
  if (kind < 0.18) return { const: chance.pick(VALUES) };
  if (kind < 0.24 && depth > 0)
    return { [chance.pick(["anyOf", "oneOf", "allOf"])]: schemas(chance, depth, 1, 3) };
  if (kind < 0.29)
    return { type: some(chance, TYPES, 1, 3), ...(depth > 0 ? objectKeywords(chance, depth) : {}) };
  if (kind < 0.33) return {};
  const type = chance.pick(depth > 0 ? [...TYPES, "object", "object", "array"] : TYPES.slice(2));
  return { ...(chance.often(0.92) ? { type } : {}), ...keywords(chance, type, depth) };
}

function keywords(chance: Chance, type: string, depth: number): RandomSchema {
  switch (type) {
    case "object":
      return objectKeywords(chance, depth);
    case "array":
      return arrayKeywords(chance, depth);
    case "string":
      return stringKeywords(chance);
    case "number":
    case "integer":
      return numberKeywords(chance);
    default:
      return {};
  }
}

function objectKeywords(chance: Chance, depth: number): RandomSchema {
  const names = some(chance, NAMES, 0, 5);
  const properties = Object.fromEntries(names.map((name) => [name, schema(chance, depth - 1)]));
  return {
    ...(chance.often(0.9) ? { properties } : {}),
    ...maybe(chance, 0.6, "required", () => some(chance, [...names, "absent"], 0, 3)),
    ...maybe(chance, 0.4, "additionalProperties", () =>
      chance.often(0.7) ? chance.often(0.5) : schema(chance, depth - 1),
    ),
    ...maybe(chance, 0.05, "patternProperties", () => ({ "^x-": schema(chance, depth - 1) })),
    ...maybe(chance, 0.05, "propertyNames", () => ({ pattern: chance.pick(schemaPatterns) })),
    ...maybe(chance, 0.05, "minProperties", () => chance.pick(COUNTS)),
    ...maybe(chance, 0.05, "maxProperties", () => chance.pick(COUNTS)),
    ...maybe(chance, 0.05, "dependentRequired", () => ({ a: ["b"] })),
    ...maybe(chance, 0.05, "dependentSchemas", () => ({ a: schema(chance, depth - 1) })),
    ...maybe(chance, 0.05, "unevaluatedProperties", () => false),
  };
}

function arrayKeywords(chance: Chance, depth: number): RandomSchema {
  return {
    ...maybe(chance, 0.8, "items", () => schema(chance, depth - 1)),
    ...maybe(chance, 0.2, "prefixItems", () => schemas(chance, depth, 0, 3)),
    ...maybe(chance, 0.3, "minItems", () => chance.pick(COUNTS)),
    ...maybe(chance, 0.3, "maxItems", () => chance.pick(COUNTS)),
    ...maybe(chance, 0.1, "uniqueItems", () => true),
    ...maybe(chance, 0.05, "contains", () => schema(chance, depth - 1)),
    ...maybe(chance, 0.05, "minContains", () => 1),
    ...maybe(chance, 0.05, "unevaluatedItems", () => false),
  };
}

function stringKeywords(chance: Chance): RandomSchema {
  return {
    ...maybe(chance, 0.5, "pattern", () => chance.pick(schemaPatterns)),
    ...maybe(chance, 0.3, "format", () => chance.pick(FORMATS)),
    ...maybe(chance, 0.25, "minLength", () => chance.pick(COUNTS)),
    ...maybe(chance, 0.25, "maxLength", () => chance.pick(COUNTS)),
    ...maybe(chance, 0.05, "contentEncoding", () => "base64"),
    ...maybe(chance, 0.05, "contentMediaType", () => "text/plain"),
  };
}

function numberKeywords(chance: Chance): RandomSchema {
  return {
    ...maybe(chance, 0.4, "minimum", () => chance.pick(NUMBERS)),
    ...maybe(chance, 0.4, "maximum", () => chance.pick(NUMBERS)),
    ...maybe(chance, 0.2, "exclusiveMinimum", () => chance.pick(NUMBERS)),
    ...maybe(chance, 0.2, "exclusiveMaximum", () => chance.pick(NUMBERS)),
    ...maybe(chance, 0.2, "multipleOf", () => 5),
  };
}

function extra(chance: Chance, depth: number): RandomSchema {
  return chance.pick<() => RandomSchema>([
    () => ({ not: schema(chance, depth - 1) }),
    () => ({
      if: schema(chance, depth - 1),
      then: schema(chance, depth - 1),
      else: schema(chance, depth - 1),
    }),
    () => ({ anyOf: schemas(chance, depth, 1, 2) }),
    () => ({ allOf: schemas(chance, depth, 1, 2) }),
    () => ({ $id: "https://example.com/here", $anchor: "here", $dynamicAnchor: "there" }),
    () => ({ deprecated: true, readOnly: true, writeOnly: false }),
    () => ({ $vocabulary: { "https://example.com/v": true } }),
    () => ({ nullable: true, discriminator: { propertyName: "kind" } }),
    () => ({ $dynamicRef: "#there" }),
  ])();
}

function schemas(chance: Chance, depth: number, least: number, most: number): unknown[] {
  const count = least + Math.floor(chance.number() * (most - least + 1));
  return Array.from({ length: count }, () => schema(chance, depth - 1));
}

function some<T>(chance: Chance, from: readonly T[], least: number, most: number): T[] {
  const count = least + Math.floor(chance.number() * (most - least + 1));
  return Array.from({ length: count }, () => chance.pick(from));
}

function maybe(chance: Chance, share: number, keyword: string, value: () => unknown): RandomSchema {
  return chance.often(share) ? { [keyword]: value() } : {};
}
