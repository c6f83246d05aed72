import { describe, expect, test } from "vitest";
import { ApiError } from "../../../gateway/src/errors.ts";
import { MAX_PATTERN_STEPS, MAX_STEPS } from "../../../gateway/src/json-schema/limits/grammar-limits.ts";
import { makeSafe } from "../../../gateway/src/json-schema/make-safe.ts";
import { SchemaDocument } from "../../../gateway/src/json-schema/walk/references.ts";
import { SchemaWalk } from "../../../gateway/src/json-schema/walk/schema-walk.ts";
import {
  chainedReferences,
  distinctPatterns,
  ignoredUnderLongPaths,
  repeatedly,
  reversedDefinitions,
} from "../../../test-support/json-schema/expensive-schemas.ts";

function rejection(schema: Readonly<Record<string, unknown>>): string {
  try {
    makeSafe(schema, "format");
  } catch (thrown) {
    if (thrown instanceof ApiError) return `${thrown.status} ${thrown.message}`;
    throw thrown;
  }
  return "accepted";
}

const list = (length: number): number[] => Array.from({ length }, (_, index) => index);
const members = (length: number): Record<string, unknown> =>
  Object.fromEntries(list(length).map((index) => [`k${index}`, 1]));
const LONG_NAME = "x".repeat(500);
const TOO_COMPLEX = /^400 Invalid schema at .*: the schema is too complex/;

describe("a small schema cannot cause much work:", () => {
  test.each<[string, Readonly<Record<string, unknown>>]>([
    ["a chain of references, followed by each part of an allOf", chainedReferences(300)],
    [
      "a long reference in each part of an allOf",
      { ...repeatedly(3000, { $ref: `#/${LONG_NAME}` }), [LONG_NAME]: { type: "string" } },
    ],
    [
      "many properties in each part of an allOf",
      { ...repeatedly(1000, { $ref: "#/$defs/d" }), $defs: { d: { properties: members(100) } } },
    ],
    [
      "many values in each part of an allOf",
      { ...repeatedly(1000, { $ref: "#/$defs/d" }), $defs: { d: { enum: list(100) } } },
    ],
    [
      "long values in each part of an allOf",
      { ...repeatedly(100, { $ref: "#/$defs/d" }), $defs: { d: { enum: ["x".repeat(20_000)] } } },
    ],
    ["many keywords of a part that many others repeat", repeatedProperty(members(1000))],
    ["a large ignored keyword of a part that many others repeat", repeatedProperty({ not: members(1000) })],
    [
      "alternatives of false that many parts repeat",
      repeatedProperty({ anyOf: [true, ...list(1000).map(() => false)] }),
    ],
    ["definitions that only end in reverse order", reversedDefinitions(280, 20)],
    ["a name to search for", { $ref: "#name", default: list(200_000) }],
  ])("%s", (_name, schema) => {
    expect(rejection(schema)).toMatch(TOO_COMPLEX);
  });

  test("a long reference", () => {
    expect(rejection({ $ref: `#/${"x".repeat(9000)}` })).toMatch(/a reference has more than 8192 characters/);
  });

  test("ignored keywords below a long path", () => {
    const { ignored } = makeSafe(ignoredUnderLongPaths(20, 300, 50), "format");
    expect(ignored.join("").length).toBeLessThan(2000);
  });

  test("many ignored keywords", () => {
    const properties = Object.fromEntries(
      list(500).map((index) => [`p${index}`, { type: "string", not: { a: 1 } }]),
    );
    const { ignored } = makeSafe({ type: "object", properties, required: Object.keys(properties) }, "format");
    expect(ignored[0]).toBe("properties.p0.not");
    expect(ignored.join("").length).toBeLessThan(1100);
  });
});

/** The number of steps of a walk, and the keywords that it ignores. */
function walked(...schemas: readonly Readonly<Record<string, unknown>>[]): {
  readonly steps: number;
  readonly ignored: readonly string[];
} {
  const walk = new SchemaWalk();
  for (const schema of schemas) {
    walk.visit(schema, { path: "", document: new SchemaDocument(schema, "tools"), depth: 0, nameBytes: 4 });
  }
  walk.visitDefinitions();
  return { steps: walk.budget.steps, ignored: [...walk.ignored] };
}

describe("distinct patterns take a bounded number of steps, after which they are ignored:", () => {
  // The walk takes a few per property, and the last pattern that begins within the limit may exceed it.
  const maxSteps = MAX_PATTERN_STEPS + 10_000;

  test.each(Object.entries(distinctPatterns))("%s", (_name, patternOf) => {
    const patterns = list(1000).map((index) => ({ type: "string", pattern: patternOf(index) }));
    const properties = Object.fromEntries(patterns.map((schema, index) => [`p${index}`, schema]));
    const { steps, ignored } = walked({ type: "object", properties, required: Object.keys(properties) });
    expect(steps).toBeGreaterThan(MAX_PATTERN_STEPS);
    expect(steps).toBeLessThan(maxSteps);
    expect(ignored.length).toBeGreaterThan(0);
  });

  test("also if they are remembered from an earlier schema", () => {
    const patterns = list(20).map((index) => ({
      type: "string",
      pattern: `^${index}${"(?:[a-z]?[0-9]?)".repeat(100)}$`,
    }));
    const first = walked({ type: "array", prefixItems: patterns });
    expect(first.ignored).toContain("prefixItems[19].pattern");
    expect(walked({ type: "array", prefixItems: patterns })).toEqual(first);
  });
});

test("a hundred tools, each with two patterns of its own, stay within the steps", () => {
  const { steps, ignored } = walked(...list(100).map(toolParameters));
  expect(ignored).toEqual([]);
  expect(steps).toBeLessThan(MAX_STEPS);
});

test("large schemas without repetition pass", () => {
  const properties = Object.fromEntries(
    list(2500).map((index) => [`p${index}`, { type: "string", title: "A", description: "b", default: "c" }]),
  );
  expect(rejection({ type: "object", properties, required: Object.keys(properties) })).toBe("accepted");
  const enums = Object.fromEntries(list(20).map((index) => [`e${index}`, { enum: list(1000) }]));
  expect(rejection({ type: "object", properties: enums })).toBe("accepted");
  expect(rejection(chainedReferences(50))).toBe("accepted");
});

/** Many properties that all take the same property from a definition. */
function repeatedProperty(schema: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const part = { allOf: [{ $ref: "#/$defs/d" }] };
  const properties = Object.fromEntries(list(500).map((index) => [`p${index}`, part]));
  return { type: "object", properties, $defs: { d: { properties: { a: { type: "string", ...schema } } } } };
}

/** The parameters of one of many tools, as libraries generate them, with patterns of its own. */
function toolParameters(index: number): Readonly<Record<string, unknown>> {
  const text = { type: "string", description: "A text." };
  const object = (properties: Readonly<Record<string, unknown>>) => ({
    type: "object",
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
  });
  const day = "\\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\\d|3[01])";
  return object({
    id: { ...text, pattern: `^tool${index}_[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$` },
    since: { ...text, pattern: `^${day}T(?:[01]\\d|2[0-3]):[0-5]\\d(?::[0-5]\\d(?:\\.\\d+)?)?Z$` },
    order: { enum: ["newest", "oldest", "relevance"] },
    filters: {
      type: "array",
      items: object({
        field: text,
        operator: { enum: ["is", "contains"] },
        value: { type: ["string", "number"] },
      }),
    },
    page: object({ cursor: text, range: object({ start: { type: "number" }, end: { type: "number" } }) }),
  });
}
