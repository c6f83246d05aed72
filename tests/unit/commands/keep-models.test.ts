import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import {
  type KeeperState,
  parseKeeperState,
  type PodModel,
} from "../../../components/config/kubernetes/pod-models.ts";
import { freePort } from "../../../host/free-port.ts";
import { FakeOllama } from "../../../test-support/fakes/fake-registry-ollama.ts";

// The program that runs beside Ollama in a pod, against an Ollama that does what it is told.

let folder: string;
let ollama: FakeOllama;
let ollamaUrl: string;
let keeper: ChildProcess | undefined;
let keeperUrl: string;

const model = (name: string, change: Partial<PodModel> = {}): PodModel => ({
  name,
  source: name,
  insecure: false,
  changes: {},
  keepSource: false,
  retain: false,
  ...change,
});

const at = (name: string) => join(folder, name);
/** Replaces the list in one step, as Kubernetes does. */
function want(...models: PodModel[]): void {
  writeFileSync(at("next.json"), JSON.stringify({ stallSeconds: 60, models }));
  renameSync(at("next.json"), at("models.json"));
}
function state(): KeeperState | undefined {
  try {
    return parseKeeperState(readFileSync(at("state.json"), "utf8"));
  } catch {
    return undefined;
  }
}
const ready = () =>
  fetch(`${keeperUrl}/ready`).then(
    ({ status }) => status,
    () => 0,
  );
const names = () => [...ollama.models.keys()];

async function start(environment: Readonly<Record<string, string>> = {}): Promise<void> {
  const port = await freePort();
  keeperUrl = `http://127.0.0.1:${String(port)}`;
  keeper = spawn(process.execPath, ["components/commands/keep-models.ts"], {
    env: {
      ...process.env,
      OLLAMA_URL: ollamaUrl,
      MODELS_FILE: at("models.json"),
      RECORDS_FILE: at("records.json"),
      STATE_FILE: at("state.json"),
      KEEPER_PORT: String(port),
      DRAIN_SECONDS: "60",
      ...environment,
    },
    stdio: "ignore",
  });
}

async function stop(): Promise<number | null> {
  const running = keeper;
  keeper = undefined;
  if (running === undefined) return null;
  const ended = new Promise<number | null>((resolve) => running.once("exit", resolve));
  running.kill("SIGTERM");
  return await ended;
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "ollama-stack-keeper-"));
  ollama = new FakeOllama();
  ollamaUrl = await ollama.start();
});
afterEach(async () => {
  await stop();
  await ollama.stop();
  rmSync(folder, { recursive: true });
});

it("pulls every model of the list before its pod is ready, and says what is there", async () => {
  want(model("tiny:1b"), model("mine:latest", { source: "registry.example.org/library/big:7b" }));
  await start();
  await expect.poll(ready).toBe(200);
  expect(names()).toEqual(["tiny:1b", "mine:latest"]);
  await expect.poll(() => state()?.complete).toBe(true);
  expect(state()?.models.map(({ name, digest }) => [name, digest])).toEqual([
    ["tiny:1b", "d".repeat(64)],
    ["mine:latest", "d".repeat(64)],
  ]);
});

it("follows a changed list while its pod stays ready, and deletes only what it installed", async () => {
  ollama.models.set("foreign:1b", { digest: "f".repeat(64), size: 1 });
  want(model("tiny:1b"));
  await start();
  await expect.poll(ready).toBe(200);
  const before = state()?.version;
  want(model("other:1b"));
  await expect.poll(names).toEqual(["foreign:1b", "other:1b"]);
  expect(await ready()).toBe(200);
  await expect.poll(() => state()?.complete).toBe(true);
  expect(state()?.version).not.toBe(before);
});

it("leaves a model that is to stay when it leaves the list", async () => {
  want(model("tiny:1b", { retain: true }));
  await start();
  await expect.poll(ready).toBe(200);
  want(model("other:1b"));
  await expect.poll(names).toEqual(["tiny:1b", "other:1b"]);
  await expect.poll(() => state()?.models.map(({ name }) => name)).toEqual(["other:1b"]);
});

it("knows after a restart what it installed, and pulls none of it again", async () => {
  want(model("tiny:1b", { changes: { system: "You are kind." } }));
  await start();
  await expect.poll(ready).toBe(200);
  expect(await stop()).toBe(0);
  await start();
  await expect.poll(ready).toBe(200);
  expect(ollama.pulls).toHaveLength(1);
  want(model("other:1b"));
  await expect.poll(names).toEqual(["other:1b"]);
});

it("pulls again what somebody deleted", async () => {
  want(model("tiny:1b"));
  await start();
  await expect.poll(ready).toBe(200);
  ollama.models.delete("tiny:1b");
  await expect.poll(names).toEqual(["tiny:1b"]);
});

it("says why a model cannot be had, and is not ready", async () => {
  want(model("tiny:1b", { digest: "a".repeat(64) }));
  await start();
  await expect.poll(() => state()?.problem).toContain(`but ${"a".repeat(64)} is pinned`);
  expect(state()?.complete).toBe(false);
  expect(await ready()).toBe(503);
});

it("finds which models are not in the memory of its pod's GPUs, and serves all the same", async () => {
  ollama.memory.set("tiny:1b", { size: 100, size_vram: 100 });
  ollama.memory.set("big:70b", { size: 200, size_vram: 50 });
  want(model("tiny:1b"), model("big:70b"));
  await start({ CHECK_GPU_MEMORY: "true", LOAD_KEEP_ALIVE: "1m" });
  await expect
    .poll(() => state()?.gpuProblems)
    .toEqual([expect.stringContaining("Model big:70b runs partly on the CPU")]);
  expect(await ready()).toBe(200);
  expect([...ollama.loaded.values()]).toEqual(["1m", "1m"]);
  // Something else took the memory, and has left it.
  ollama.memory.set("big:70b", { size: 200, size_vram: 200 });
  await expect.poll(() => state()?.gpuProblems, { timeout: 40_000 }).toEqual([]);
});

it("loads no model where its pod has no GPUs", async () => {
  want(model("tiny:1b"));
  await start();
  await expect.poll(() => state()?.complete).toBe(true);
  expect(ollama.loaded.size).toBe(0);
  expect(state()?.gpuProblems).toBeUndefined();
});
