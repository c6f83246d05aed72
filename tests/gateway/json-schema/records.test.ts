import { expect, test } from "vitest";
import { z } from "zod";
import { makeSafe } from "../../../gateway/src/json-schema/make-safe.ts";

type Schema = Readonly<Record<string, unknown>>;

const TEXT = { type: "string" };
const record = (values: unknown): Schema => ({
  type: "object",
  properties: {},
  additionalProperties: values,
});

test.each<[string, Schema, Schema, readonly string[]]>([
  ["of TypeBox", { type: "object", patternProperties: { "^(.*)$": TEXT } }, record(TEXT), []],
  [
    "with names of a pattern",
    { type: "object", patternProperties: { "^[a-z]+$": TEXT }, additionalProperties: false },
    record(TEXT),
    ["patternProperties"],
  ],
  [
    "with names of several patterns",
    {
      type: "object",
      patternProperties: { "^s-": TEXT, "^b-": { type: "boolean" }, "^n-": false },
      unevaluatedProperties: false,
    },
    record({ anyOf: [TEXT, { type: "boolean" }] }),
    ["patternProperties"],
  ],
  ["of Zod", z.toJSONSchema(z.record(z.string(), z.string())), record(TEXT), []],
  [
    "with names that are enforced nowhere",
    { type: "object", propertyNames: { pattern: "^a" }, additionalProperties: TEXT },
    record(TEXT),
    ["propertyNames"],
  ],
])("a record %s has its values", (_name, sent, schema, ignored) => {
  expect(makeSafe(sent, "format")).toEqual({ schema, ignored });
});

test("an object that may also have other properties than those of a pattern is any object", () => {
  const sent = { type: "object", patternProperties: { "^x-": TEXT } };
  expect(makeSafe(sent, "format")).toEqual({ schema: { type: "object" }, ignored: ["patternProperties"] });
});
