import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { runTool } from "../../../host/exec.ts";
import { runParallel } from "../../../toolchain/parallel.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "ollama-stack-lanes-"));
  vi.stubEnv("OLLAMA_STACK_CACHE", root);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});

async function node(script: string, signal: AbortSignal): Promise<void> {
  await runTool(process.execPath, ["--eval", script], { what: "work", signal });
}

it("rejects as soon as a lane fails, and aborts the others", async () => {
  const finished = join(root, "finished");
  const slow = `setTimeout(() => require("node:fs").writeFileSync(${JSON.stringify(finished)}, ""), 20_000)`;
  const start = performance.now();
  await expect(
    runParallel([
      (signal) => node(slow, signal),
      (signal) => node("console.error('planted'); process.exit(3)", signal),
    ]),
  ).rejects.toThrow(/work failed: exit code 3.*\n.*planted/);
  expect(performance.now() - start).toBeLessThan(10_000);
  expect(existsSync(finished)).toBe(false);
});

it("waits for all lanes to finish", async () => {
  const done: string[] = [];
  const lane = (name: string, ms: number) => async () => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    done.push(name);
  };
  await runParallel([lane("slow", 60), lane("fast", 5)]);
  expect(done).toEqual(["fast", "slow"]);
});
