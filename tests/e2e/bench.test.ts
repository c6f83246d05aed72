import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

// An end-to-end test because it builds a Go program and needs both cores.

const bench = async (...args: string[]) =>
  (await promisify(execFile)(process.execPath, ["scripts/commands/bench.ts", ...args])).stdout;

test("the benchmark runs, and every response of the gateway to its load is correct", async () => {
  const stdout = await bench("--quick", "--seconds", "0.2");
  expect(stdout).toContain("Every response had status 200, the expected text and a proper end.");
  for (const measure of [
    /\| buffered responses per second at 16 connections \(1\/s\) +\| +[1-9]/,
    /\| 64-token streams per second at 16 connections \(1\/s\) +\| +[1-9]/,
    /\| CPU per buffered response \(µs\) +\| +[1-9]/,
    /\| memory with 200 open streams \(MiB\) +\| +[1-9]/,
  ]) {
    expect(stdout).toMatch(measure);
  }
});

test("the comparison with an earlier commit runs, and has a ratio for every measure", async () => {
  const stdout = await bench("regression", "--quick", "--before", "HEAD");
  const rows = stdout.split("\n").filter((line) => /^\| .*\((µs|ms|MiB)\) \|/.test(line));
  expect(rows).toHaveLength(9);
  for (const row of rows) expect(row).toMatch(/ \| \d+\.\d\d \|$/);
});
