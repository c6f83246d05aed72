import { expect, it } from "vitest";
import { markdownTable } from "../../../host/markdown-table.ts";

it("aligns columns of numbers to the right, and escapes a cell's separators", () => {
  expect(markdownTable(["name", "ms"], [["a|b", "1.5"]], [1])).toBe(
    "| name | ms |\n| --- | --: |\n| a\\|b | 1.5 |",
  );
});
