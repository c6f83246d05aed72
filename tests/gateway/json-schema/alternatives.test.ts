import { expect, test } from "vitest";
import { makeSafe } from "../../../gateway/src/json-schema/make-safe.ts";

type Schema = Readonly<Record<string, unknown>>;

const TEXT = { type: "string" };
const ID_OR_NAME = { type: "object", properties: { id: TEXT, name: TEXT } };

// The converter ignores what is beside alternatives, so that arguments might be any value.
test.each<[string, Schema, Schema, readonly string[]]>([
  [
    "of which property is required",
    { ...ID_OR_NAME, anyOf: [{ required: ["id"] }, { required: ["name"] }] },
    ID_OR_NAME,
    ["anyOf"],
  ],
  [
    "of which property is required, with the type again",
    {
      ...ID_OR_NAME,
      oneOf: [
        { type: "object", required: ["id"] },
        { type: "object", required: ["name"], not: { required: ["id"] } },
      ],
    },
    ID_OR_NAME,
    ["oneOf"],
  ],
  ["of formats", { ...TEXT, anyOf: [{ format: "email" }, { format: "uri" }] }, TEXT, []],
  ["of which one allows everything", { ...TEXT, anyOf: [{}, { minLength: 2 }] }, TEXT, []],
])("alternatives %s give way to what is beside them", (_name, sent, schema, ignored) => {
  expect(makeSafe(sent, "format")).toEqual({ schema, ignored });
});

test.each<[string, Schema]>([
  [
    "formats that the converter supports, with the type again",
    { ...TEXT, anyOf: ["date", "time"].map((format) => ({ ...TEXT, format })) },
  ],
  [
    "lengths, with the type again",
    {
      ...TEXT,
      anyOf: [
        { ...TEXT, maxLength: 2 },
        { ...TEXT, minLength: 5 },
      ],
    },
  ],
  [
    "bounds, with the type again",
    {
      type: "integer",
      oneOf: [
        { type: "integer", minimum: -9, maximum: -1 },
        { type: "integer", minimum: 1, maximum: 9 },
      ],
    },
  ],
  ["types", { anyOf: [TEXT, { type: "null" }] }],
  ["properties", { oneOf: [ID_OR_NAME, { type: "object", properties: { url: TEXT } }] }],
  ["formats that the converter supports", { anyOf: [{ type: "string", format: "date" }, { type: "null" }] }],
])("alternatives of %s are kept", (_name, sent) => {
  const { schema, ignored } = makeSafe(sent, "format");
  expect(schema).toEqual({ anyOf: sent["anyOf"] ?? sent["oneOf"] });
  expect(ignored).toEqual([]);
});
