import { describe, expect, test } from "vitest";
import { ApiError } from "../../../gateway/src/errors.ts";
import { FATAL_CONSTRUCTS } from "../../../test-support/json-schema/fatal-constructs.ts";
import { makeSafe, makeSafeCalls } from "../../../gateway/src/json-schema/make-safe.ts";
import { faultsIn } from "../../../test-support/json-schema/grammar-checker.ts";
import { randomSchemas } from "../../../test-support/json-schema/random-schemas.ts";

type Schema = Record<string, unknown>;

const object = (properties: Schema, more: Schema = {}): Schema => ({ type: "object", properties, ...more });

function rejectionOf(schema: Schema): ApiError {
  try {
    makeSafe(schema, "format");
  } catch (thrown) {
    if (thrown instanceof ApiError) return thrown;
    throw thrown;
  }
  throw new Error("the schema was not rejected");
}

describe("the table of fatal constructs", () => {
  test.each(FATAL_CONSTRUCTS.map((row) => [row.construct, row] as const))("%s", (_construct, row) => {
    if (row.treatment === "refused with 400") {
      expect(rejectionOf({ ...row.example })).toMatchObject({ status: 400, code: "invalid_value" });
      return;
    }
    const { schema, ignored } = makeSafe(row.example, "format");
    expect(faultsIn(schema)).toEqual([]);
    expect(ignored.length > 0).toBe(row.treatment !== "rewritten");
  });
});

test("makes any schema safe, or rejects it with the path of the error", () => {
  let safe = 0;
  let rejected = 0;
  for (const sent of randomSchemas(7, 3000)) {
    const before = JSON.stringify(sent);
    try {
      const { schema } = makeSafe(sent, "format");
      expect(faultsIn(schema), before).toEqual([]);
      safe += 1;
    } catch (thrown) {
      if (!(thrown instanceof ApiError)) throw thrown;
      expect(thrown.status, before).toBe(400);
      expect(thrown.param, before).toMatch(/^format/);
      rejected += 1;
    }
    expect(JSON.stringify(sent)).toBe(before);
  }
  expect(safe).toBeGreaterThan(2000);
  expect(rejected).toBeGreaterThan(100);
});

test("ignores nothing in a schema that is already safe", () => {
  let compared = 0;
  for (const sent of randomSchemas(8, 1000)) {
    let first: Schema;
    try {
      first = makeSafe(sent, "format").schema;
    } catch {
      continue;
    }
    const text = JSON.stringify(first);
    // A pattern is rewritten for the text inside JSON's quotes; a second pass would rewrite the result again.
    if (text.includes('"pattern"')) continue;
    expect(makeSafe(first, "format").ignored, text).toEqual([]);
    compared += 1;
  }
  expect(compared).toBeGreaterThan(300);
});

test("keeps a schema that Ollama supports unchanged, with its properties in order", () => {
  const schema = object(
    {
      zulu: { type: "string", minLength: 1, maxLength: 20 },
      alpha: {
        type: "array",
        items: { type: "integer", minimum: 0, maximum: 150 },
        maxItems: 3,
      },
      mike: { enum: ["a", 1, null] },
      kilo: { anyOf: [{ type: "string", format: "date-time" }, { type: "null" }] },
      ["größe"]: { const: { b: 1, a: [] } },
      pair: { type: "array", prefixItems: [{ type: "string" }, { type: "boolean" }] },
      code: { type: "string", pattern: "^[A-Z]{2}[0-9]{1,5}$" },
      map: { type: "object", properties: {}, additionalProperties: { type: "number" } },
      dictionary: { type: "object" },
    },
    { required: ["zulu", "mike"] },
  );
  const safe = makeSafe(schema, "format");
  expect(JSON.stringify(safe.schema)).toBe(
    JSON.stringify({ type: schema["type"], properties: schema["properties"], required: schema["required"] }),
  );
  expect(safe.ignored).toEqual([]);
});

test("takes an empty schema for any value, which the converter takes for an object, except as the whole schema", () => {
  const anyValue = { type: ["object", "array", "string", "number", "boolean", "null"] };
  const schema = object({ any: {}, list: { type: "array", items: {} } }, { additionalProperties: {} });
  expect(makeSafe(schema, "format")).toEqual({
    schema: object(
      { any: anyValue, list: { type: "array", items: anyValue } },
      { additionalProperties: true },
    ),
    ignored: [],
  });
  expect(makeSafe({}, "format").schema).toEqual({});
});

describe("references", () => {
  test.each([
    ["the root", object({ next: { $ref: "#" } }), "d0"],
    [
      "a path in the schema",
      object({ start: { type: "string" }, end: { $ref: "#/properties/start" } }),
      "d0",
    ],
    [
      "a name with escapes",
      object({ x: { $ref: "#/$defs/a~1b%20c" } }, { $defs: { "a/b c": { type: "null" } } }),
      "d0",
    ],
    [
      "an anchor",
      object({ x: { $ref: "#here" } }, { $defs: { any: { $anchor: "here", type: "null" } } }),
      "d0",
    ],
    [
      "a legacy keyword",
      object({ x: { $ref: "#/definitions/y" } }, { definitions: { y: { type: "null" } } }),
      "d0",
    ],
    [
      "the schema's own $id",
      object(
        { x: { $ref: "https://e.com/s#/$defs/y" } },
        { $id: "https://e.com/s", $defs: { y: { type: "null" } } },
      ),
      "d0",
    ],
  ])("to %s are kept", (_name, schema, name) => {
    const safe = makeSafe(schema, "format").schema;
    expect(faultsIn(safe)).toEqual([]);
    expect(Object.keys(safe["$defs"] as object)).toEqual([name]);
  });

  test("at the root of a schema are wrapped, so that the converter does not overlook all others", () => {
    const node = object({ next: { $ref: "#/$defs/node" } });
    const { schema } = makeSafe({ $ref: "#/$defs/node", $defs: { node } }, "format");
    expect(schema).toEqual({
      anyOf: [{ $ref: "#/$defs/d0" }],
      $defs: { d0: object({ next: { $ref: "#/$defs/d0" } }) },
    });
  });

  test("may be recursive if the recursion can end: in an optional property, a list, null or an alternative", () => {
    const root = { $ref: "#" };
    const required = { required: ["next"] };
    for (const schema of [
      object({ next: root }),
      object({ next: { type: "array", items: root } }, required),
      object({ next: { anyOf: [{ type: "null" }, root] } }, required),
      object(
        { next: { $ref: "#/$defs/a" } },
        {
          ...required,
          $defs: { a: object({ next: { $ref: "#/$defs/b" } }, required), b: { type: "null" } },
        },
      ),
    ])
      expect(faultsIn(makeSafe(schema, "format").schema)).toEqual([]);
  });

  test.each([
    ["does not resolve", object({ due: { $ref: "#/$defs/none" } }), "format.properties.due.$ref"],
    [
      "points to another document",
      object({ due: { $ref: "https://example.com/s.json" } }),
      "format.properties.due.$ref",
    ],
    ["points to itself", { $ref: "#" }, "format"],
    [
      "points to itself through another one",
      object({ a: { $ref: "#/$defs/b" } }, { $defs: { b: { anyOf: [{ $ref: "#/$defs/b" }] } } }),
      "format.$defs.b",
    ],
    [
      "requires itself endlessly",
      { $defs: { a: object({ a: { $ref: "#/$defs/a" } }, { required: ["a"] }) }, $ref: "#/$defs/a" },
      "format.$defs.a",
    ],
    [
      "requires itself endlessly through an item and an alternative",
      object(
        { list: { $ref: "#/$defs/list" } },
        {
          $defs: {
            list: { type: "array", items: { $ref: "#/$defs/node" }, minItems: 1 },
            node: {
              anyOf: [
                object({ list: { $ref: "#/$defs/list" } }, { required: ["list"] }),
                { type: "array", prefixItems: [{ $ref: "#/$defs/list" }] },
              ],
            },
          },
        },
      ),
      "format.$defs.list",
    ],
  ])("are rejected: one that %s", (_name, schema, param) => {
    expect(rejectionOf(schema)).toMatchObject({ status: 400, param });
  });
});

test.each([
  ["an unknown type", object({ due: { type: "objekt" } }), "format.properties.due"],
  [
    "a pattern that is not a string",
    object({ due: { type: "string", pattern: 5 } }),
    "format.properties.due.pattern",
  ],
  [
    "a format that is not a string",
    object({ due: { type: "string", format: 5 } }),
    "format.properties.due.format",
  ],
  ["properties that are a list", { type: "object", properties: [] }, "format.properties"],
  ["alternatives that are not a list", { anyOf: {} }, "format.anyOf"],
  ["a schema that is a number", object({ due: 5 }), "format.properties.due"],
  [
    "contradicting bounds",
    object({ due: { type: "integer", minimum: 2, exclusiveMaximum: 2 } }),
    "format.properties.due",
  ],
  ["text that is not valid Unicode", object({ due: { enum: ["\ud800"] } }), "format.properties.due.enum[0]"],
  [
    "an enum with thousands of values",
    object({ due: { enum: Array.from({ length: 2001 }, (_, i) => i) } }),
    "format.properties.due.enum",
  ],
  [
    "a grammar of megabytes",
    object(Object.fromEntries(Array.from({ length: 9000 }, (_, i) => [`property${i}`, { type: "null" }])), {
      required: [],
    }),
    /^format\.properties\.property\d+$/,
  ],
])("rejects %s with its path", (_name, schema, param) => {
  const error = rejectionOf(schema);
  expect(error).toMatchObject({ status: 400, code: "invalid_value" });
  expect(error.param).toMatch(param);
  expect(error.message).toContain(error.param);
});

test("lists the ignored keywords, but not those without effect", () => {
  const schema = object(
    {
      due: { type: "string", pattern: "^(?!x).*$", title: "Due", description: "When", default: "x" },
      tags: { type: "array", items: { type: "string" }, uniqueItems: true, maxItems: 5000 },
      size: { type: "number", minimum: 0, format: "float" },
      other: { type: "string", format: "email" },
    },
    { additionalProperties: false, minProperties: 1, required: ["due"] },
  );
  expect(makeSafe(schema, "format").ignored.toSorted()).toEqual([
    "minProperties",
    "properties.due.pattern",
    "properties.size.minimum",
    "properties.tags.maxItems",
    "properties.tags.uniqueItems",
  ]);
});

test("drops bounds that a double cannot hold, and keeps values exactly", () => {
  const exact = (literal: string): unknown => JSON.rawJSON(literal);
  const i64 = {
    type: "integer",
    minimum: exact("-9223372036854775808"),
    maximum: exact("9223372036854775807"),
  };
  const length = { type: "string", maxLength: exact("9223372036854775807") };
  const { schema } = makeSafe(object({ i64, length, id: { const: exact("9007199254740993") } }), "format");
  expect(JSON.stringify(schema["properties"])).toBe(
    '{"i64":{"type":"integer"},"length":{"type":"string"},"id":{"const":9007199254740993}}',
  );
});

test("separates definitions with the same name in two tools", () => {
  const parameters = (type: string): Schema =>
    object({ city: { $ref: "#/$defs/City" } }, { $defs: { City: { type } } });
  const { schema } = makeSafeCalls([
    { name: "a", parameters: parameters("string"), param: "tools[0].function.parameters" },
    { name: "b", parameters: parameters("number"), param: "tools[1].function.parameters" },
  ]);
  expect(schema).toMatchObject({ $defs: { d0: { type: "string" }, d1: { type: "number" } } });
  expect(faultsIn(schema)).toEqual([]);
});

test("pads a schema whose grammar Ollama would cut off", () => {
  const long =
    FATAL_CONSTRUCTS.find(({ construct }) => construct.startsWith("a grammar longer"))?.example ?? {};
  const { schema } = makeSafe(long, "format");
  expect(JSON.stringify(schema).length * 4).toBeGreaterThan(32_768);
});
