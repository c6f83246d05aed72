import { describe, expect, test } from "vitest";
import { makeSafe } from "../../../../gateway/src/json-schema/make-safe.ts";
import type { JsonSchema } from "../../../../gateway/src/json-schema/limits/position.ts";
import { JsonParser } from "../../../../gateway/src/lib/json/parser.ts";

/** Parses a schema as the gateway does: integers that a double cannot represent are raw literals. */
function parseSchema(text: string): JsonSchema {
  const parser = new JsonParser();
  parser.push(Buffer.from(text));
  return parser.end() as JsonSchema;
}

describe("an integer beyond double precision counts as a number in a schema", () => {
  test.each([
    ['{"type":"string","maxLength":99999999999999999999}', '{"type":"string"}', ["maxLength"]],
    ['{"type":"string","minLength":9007199254740993}', '{"type":"string","minLength":2000}', ["minLength"]],
    ['{"type":"array","items":{"type":"null"},"maxItems":9007199254740993}', undefined, ["maxItems"]],
    ['{"type":"integer","minimum":9007199254740993}', '{"type":"integer"}', ["minimum"]],
    ['{"type":"integer","minimum":-9223372036854775808,"maximum":9223372036854775807}', undefined, []],
    ['{"type":"number","multipleOf":9007199254740993}', '{"type":"number"}', ["multipleOf"]],
    ['{"const":9007199254740993}', '{"const":9007199254740993}', []],
    ['{"enum":[9007199254740993,{"a":9007199254740993}]}', undefined, []],
    [
      '{"allOf":[{"enum":[9007199254740993,9007199254740992]},{"enum":[9007199254740993]}]}',
      '{"enum":[9007199254740993]}',
      [],
    ],
  ])("%s", (sent, forwarded, ignored) => {
    const safe = makeSafe(parseSchema(sent), "format");
    expect(safe.ignored).toEqual(ignored);
    expect(JSON.stringify(safe.schema)).not.toContain("rawJSON");
    if (forwarded !== undefined) expect(JSON.stringify(safe.schema)).toBe(forwarded);
  });
});

describe("an integer beyond double precision is rejected where a schema is expected", () => {
  test.each([
    ['{"properties":{"a":9007199254740993}}', "format.properties.a"],
    ['{"properties":9007199254740993}', "format.properties"],
    ['{"items":9007199254740993}', "format.items"],
    ['{"anyOf":[9007199254740993]}', "format.anyOf[0]"],
    ['{"allOf":[{"anyOf":[9007199254740993]}]}', "format.allOf[0].anyOf[0]"],
    ['{"$ref":"#/x","x":9007199254740993}', "format.$ref"],
    ['{"$ref":"#/x/rawJSON","x":9007199254740993}', "format.$ref"],
  ])("%s", (sent, param) => {
    expect(() => makeSafe(parseSchema(sent), "format")).toThrow(
      expect.objectContaining({ code: "invalid_value", param }) as Error,
    );
  });
});
