import { expect, test } from "vitest";
import { textLength } from "../../../../gateway/src/lib/json/text-length.ts";

test.each<[unknown, number]>([
  ["abc", 3],
  [null, 0],
  [12_345, 0],
  [["a", "b", "c"], 3],
  [{ name: "value", list: [1, { key: "x" }] }, 17],
])("the texts and keys of %j have %d characters", (value, length) => {
  expect(textLength(value)).toBe(length);
});
