import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { Load } from "../../bench/load-process.ts";
import { Stage } from "../../bench/stage.ts";

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

test("the comparison with an earlier commit rejects --only, because it measures this gateway only", async () => {
  await expect(bench("regression", "--before", "HEAD", "--only", "ours")).rejects.toThrow(
    /--only ours: the regression benchmark measures this gateway only, so leave the option out/,
  );
});

test("results are not written after an incorrect response of the gateway, but after one of another peer", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ollama-stack-bench-test-"));
  const load = await Load.start();
  onTestFinished(async () => {
    await load.stop();
    rmSync(folder, { recursive: true });
  });
  const file = join(folder, "RESULTS.md");
  const empty = "<!-- x: written by npm run bench -- x --write -->\n\n<!-- end of x -->\n";
  writeFileSync(file, empty);
  const plan = { seconds: 1, warmUpSeconds: 1, settleMs: 1, openStreams: [], disconnects: false };
  const stage = new Stage(load, plan, folder);

  stage.addFault({ name: "another", isOurs: false }, "streams", { "status 500": 3 });
  await stage.publish("x", "first results", true, file);
  expect(readFileSync(file, "utf8")).toContain("first results");

  stage.addFault({ name: "ours", isOurs: true }, "streams", { "status 500": 2 });
  await expect(stage.publish("x", "second results", true, file)).rejects.toThrow(
    /RESULTS\.md was not written: ours, streams: 2 × status 500/,
  );
  expect(readFileSync(file, "utf8")).not.toContain("second results");
});
