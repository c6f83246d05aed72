type Schema = Readonly<Record<string, unknown>>;

// Small schemas that a careless walk works on for very long.

function byName(length: number, schema: (index: number) => unknown, prefix = "d"): Schema {
  return Object.fromEntries(Array.from({ length }, (_, index) => [`${prefix}${index}`, schema(index)]));
}

export function repeatedly(count: number, part: Schema): Schema {
  return { allOf: Array.from({ length: count }, () => part) };
}

/** Each of `length` parts refers to the first of as many definitions, each of which refers to the next one. */
export function chainedReferences(length: number): Schema {
  const last = { type: "object", properties: { a: { type: "string" } } };
  const $defs = byName(length, (index) => (index === length - 1 ? last : { $ref: `#/$defs/d${index + 1}` }));
  return { ...repeatedly(length, { $ref: "#/$defs/d0" }), $defs };
}

/** A reference through `depth` long names to an object whose properties have keywords that are not enforced. */
export function ignoredUnderLongPaths(depth: number, nameLength: number, properties: number): Schema {
  const names = Array.from({ length: depth }, (_, index) => `${index}`.padEnd(nameLength, "x"));
  const ignored = {
    type: "boolean",
    not: { a: 1 },
    if: { a: 1 },
    then: {},
    allOf: [{ a: 1 }],
    contains: { a: 1 },
  };
  const target: Schema = { type: "object", properties: byName(properties, () => ignored, "p") };
  const nested = names.reduceRight<Schema>((inner, name) => ({ [name]: inner }), target);
  return { $ref: `#/${names.join("/")}`, ...nested };
}

/** Definitions that each require the one before, after `items` others. */
export function reversedDefinitions(count: number, items: number): Schema {
  const others = Array.from({ length: items }, () => ({ type: "boolean" }));
  const $defs = byName(count, (index) => ({
    type: "array",
    prefixItems: index === 0 ? others : [...others, { $ref: `#/$defs/d${index - 1}` }],
  }));
  return { anyOf: Array.from({ length: count }, (_, index) => ({ $ref: `#/$defs/d${index}` })), $defs };
}

/** Patterns that take the gateway much work, each with a number that makes it different from the others. */
export const distinctPatterns: Readonly<Record<string, (index: number) => string>> = {
  "long ones": (index) => `^${index}${"[a-z\\d_.-]+".repeat(150)}$`,
  "optional characters": (index) => `^${index}${"a?".repeat(300)}$`,
  "nested repetitions": (index) => `^${index}(a?(a?(a?(a?(a?)*)*)*)*)*$`,
  "counted repetitions": (index) => `^${index}[^\\x00-\\x1f]{0,2000}$`,
  "many alternatives": (index) => `^${index}(${"ab|".repeat(600)}c)+$`,
  "overlapping classes": (index) =>
    `^${index}${Array.from({ length: 165 }, (_, at) => `[${String.fromCharCode(0x61 + (at % 16))}-q]?`).join("")}$`,
};
