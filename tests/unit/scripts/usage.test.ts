import { expect, test } from "vitest";
import { formatUsage, mergeUsage } from "../../../scripts/observe/usage.ts";

const row = (key: string, model: string, requests: number, day = "2026-11-28") => ({
  day,
  key,
  model,
  requests,
  promptTokens: 10 * requests,
  generatedTokens: requests,
  loadSeconds: requests / 4,
});
const said = (container: string, own: object[], others: { name: string; rows: object[] }[]) => ({
  container,
  text: `${JSON.stringify({ own, others })}\n`,
});

test("a replica that runs says what it has counted, one that does not has written it", () => {
  const rows = mergeUsage([
    said("g", [row("ada", "m", 3)], [{ name: "g-2", rows: [row("ada", "m", 1)] }]),
    said("g-2", [row("ada", "m", 2)], [{ name: "g", rows: [row("ada", "m", 1)] }]),
    said("g-3", [], [{ name: "g-4", rows: [row("bob", "m", 7)] }]),
  ]);
  expect(JSON.parse(formatUsage("2026-11", rows, "json"))).toEqual({
    month: "2026-11",
    rows: [
      { key: "ada", model: "m", requests: 5, promptTokens: 50, generatedTokens: 5, loadSeconds: 1.3 },
      { key: "bob", model: "m", requests: 7, promptTokens: 70, generatedTokens: 7, loadSeconds: 1.8 },
    ],
  });
});

test("the table has one line for each key and model, and their sum", () => {
  const rows = [row("", "m", 1), row("ada", "n", 2), row("", "m", 4, "2026-11-29")];
  expect(formatUsage("2026-11", rows, "table").replaceAll(/ {2,}/g, "|").split("\n")).toEqual([
    "KEY|MODEL|REQUESTS|PROMPT TOKENS|GENERATED TOKENS|LOAD SECONDS",
    "(no key)|m|5|50|5|1.3",
    "ada|n|2|20|2|0.5",
    "all|7|70|7|1.8",
  ]);
  expect(formatUsage("2026-10", [], "table")).toBe("no requests in 2026-10");
});

test("no name is a formula or a column of its own in the CSV", () => {
  const csv = formatUsage("2026-11", [row('=HYPERLINK("x"),2', "m", 1), row("ada", "\t=1\rx", 1)], "csv");
  expect(csv.split("\n")).toEqual([
    "month,key,model,requests,prompt_tokens,generated_tokens,load_seconds",
    `2026-11,"'=HYPERLINK(""x""),2",m,1,10,1,0.3`,
    `2026-11,ada,"'\t=1\rx",1,10,1,0.3`,
  ]);
});
