import { expect, test } from "vitest";
import type { Client, Endpoint } from "../../../compat/client.ts";
import { isFault, type Row, runMatrix } from "../../../compat/matrix.ts";
import { markdownReport, textReport } from "../../../compat/report.ts";

const models = { model: "m", plainModel: "p" };
const endpoints = {
  ollama: { url: "http://ollama:1", ...models },
  gateway: { url: "http://gateway:2", ...models },
};

/** Returns a client with a single scenario. */
function clientOf(run: (endpoint: Endpoint) => Promise<void>): Client {
  return { name: "client", version: "1.2.3", scenarios: { response: run }, timeoutMs: 50 };
}

const failsWith =
  (message: string, where: keyof typeof endpoints) =>
  ({ url }: Endpoint) =>
    url === endpoints[where].url ? Promise.reject(new Error(message)) : Promise.resolve();

test("runs each scenario with both endpoints and records the reason of a failure", async () => {
  const rows = await runMatrix(
    [
      clientOf(() => Promise.resolve()),
      clientOf(failsWith("no\n  way", "ollama")),
      clientOf(failsWith("no way", "gateway")),
    ],
    endpoints,
  );
  expect(rows.map(({ ollama, gateway }) => [ollama, gateway])).toEqual([
    [undefined, undefined],
    ["no way", undefined],
    [undefined, "no way"],
  ]);
  expect(rows.map(isFault)).toEqual([false, false, true]);
});

test("fails a scenario that does not end", async () => {
  const [row] = await runMatrix([clientOf(() => new Promise(() => undefined))], endpoints);
  expect([row?.ollama, row?.gateway]).toEqual(Array(2).fill("it takes longer than 0.05 s"));
});

test("removes what differs between runs from a reason and truncates it", async () => {
  const message = `404 from http://ollama:1/v1 for call_ab12 ${"x".repeat(500)}`;
  const [row] = await runMatrix([clientOf(failsWith(message, "ollama"))], endpoints);
  expect(row?.ollama).toMatch(/^404 from \/v1 for \.\.\. x+ \.\.\.$/);
  expect(row?.ollama?.length).toBeLessThan(200);
});

const passed: Row = {
  client: "openai",
  version: "7",
  scenario: "response",
  ollama: undefined,
  gateway: undefined,
};
const faulty: Row = { ...passed, scenario: "tool", gateway: "400 <b>|`" };

test("counts both columns in the reports and names what fails with the gateway only", () => {
  const versions = { ollama: "0.17.4", date: "2026-01-02" };
  for (const report of [textReport([passed, faulty]), markdownReport([passed, faulty], versions)]) {
    expect(report).toContain("Of 2 rows, 2 pass with Ollama and 1 with the gateway.");
    expect(report).toContain("fail with the gateway: openai: tool.");
  }
  expect(textReport([passed])).toContain("No row passes with Ollama and fails with the gateway.");
});

test("escapes a server's message in the Markdown table", () => {
  const report = markdownReport([faulty], { ollama: "0.17.4", date: "2026-01-02" });
  expect(report).toContain("| tool | passes | fails: 400 \\<b\\>\\|\\` |");
});
