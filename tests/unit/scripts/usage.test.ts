import { expect, test } from "vitest";
import { formatUsage, mergeUsage, usageOfContainers } from "../../../scripts/observe/usage.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const row = (key: string, model: string, requests: number, day = "2026-11-28") => ({
  day,
  key,
  model,
  requests,
  promptTokens: 10 * requests,
  generatedTokens: requests,
  loadSeconds: requests / 4,
});
const reportOf = (container: string, own: object[], others: { name: string; rows: object[] }[]) => ({
  container,
  text: `${JSON.stringify({ own, others })}\n`,
});

test("adds the counts of running replicas to those that stopped ones have written", () => {
  const rows = mergeUsage([
    reportOf("g", [row("ada", "m", 3)], [{ name: "g-2", rows: [row("ada", "m", 1)] }]),
    reportOf("g-2", [row("ada", "m", 2)], [{ name: "g", rows: [row("ada", "m", 1)] }]),
    reportOf("g-3", [], [{ name: "g-4", rows: [row("bob", "m", 7)] }]),
  ]);
  expect(JSON.parse(formatUsage("2026-11", rows, "json"))).toEqual({
    month: "2026-11",
    rows: [
      { key: "ada", model: "m", requests: 5, promptTokens: 50, generatedTokens: 5, loadSeconds: 1.3 },
      { key: "bob", model: "m", requests: 7, promptTokens: 70, generatedTokens: 7, loadSeconds: 1.8 },
    ],
  });
});

test("prints a table with a line for each key and model, and their sum", () => {
  const rows = [row("", "m", 1), row("ada", "n", 2), row("", "m", 4, "2026-11-29")];
  expect(formatUsage("2026-11", rows, "table").replaceAll(/ {2,}/g, "|").split("\n")).toEqual([
    "KEY|MODEL|REQUESTS|PROMPT TOKENS|GENERATED TOKENS|LOAD SECONDS",
    "(no key)|m|5|50|5|1.3",
    "ada|n|2|20|2|0.5",
    "all|7|70|7|1.8",
  ]);
  expect(formatUsage("2026-10", [], "table")).toBe("no requests in 2026-10");
});

test("escapes names that would be a formula or another column in the CSV", () => {
  const csv = formatUsage("2026-11", [row('=HYPERLINK("x"),2', "m", 1), row("ada", "\t=1\rx", 1)], "csv");
  expect(csv.split("\n")).toEqual([
    "month,key,model,requests,prompt_tokens,generated_tokens,load_seconds",
    `2026-11,"'=HYPERLINK(""x""),2",m,1,10,1,0.3`,
    `2026-11,ada,"'\t=1\rx",1,10,1,0.3`,
  ]);
});

test("queries only the gateways that run", async () => {
  const docker = new FakeDocker();
  try {
    const inspect =
      "container inspect --format {{json .State}}\n{{.RestartCount}}\n{{.HostConfig.Memory}}\n{{.Created}}\n{{.Id}}";
    const state = (status: string) =>
      `${JSON.stringify({ Status: status, ExitCode: 0, OOMKilled: false, StartedAt: "" })}\n0\n0\n`;
    docker.mock({
      [`${inspect} g-2`]: state("exited"),
      [`${inspect} g`]: state("running"),
      "exec g node /app/control.cjs usage 2026-11": "rows",
    });
    expect(await usageOfContainers(["g", "g-2"], "2026-11")).toEqual([{ container: "g", text: "rows" }]);
  } finally {
    docker.remove();
  }
});
