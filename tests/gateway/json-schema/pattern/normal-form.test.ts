import { expect, test } from "vitest";
import { TooManyNodes, toNormalForm } from "../../../../gateway/src/json-schema/pattern/normal-form.ts";
import { parsePattern } from "../../../../gateway/src/json-schema/pattern/parser.ts";

test("a pattern whose normal form shares its parts cannot grow exponentially", () => {
  const parsed = parsePattern("(a?b?".repeat(12) + ")*".repeat(12));
  if (parsed === undefined) throw new Error("the pattern was not parsed");
  expect(() => toNormalForm(parsed.node)).toThrow(TooManyNodes);
});
