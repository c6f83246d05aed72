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

// Runs the sidecar of an Ollama pod against a fake Ollama.

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

const pathOf = (name: string) => join(folder, name);
/** Replaces the list of models atomically, as Kubernetes does. */
function writeModels(...models: PodModel[]): void {
  writeFileSync(pathOf("next.json"), JSON.stringify({ stallSeconds: 60, models }));
  renameSync(pathOf("next.json"), pathOf("models.json"));
}
function readState(): KeeperState | undefined {
  try {
    return parseKeeperState(readFileSync(pathOf("state.json"), "utf8"));
  } catch {
    return undefined;
  }
}
const readyStatus = () =>
  fetch(`${keeperUrl}/ready`).then(
    ({ status }) => status,
    () => 0,
  );
const modelNames = () => [...ollama.models.keys()];

async function startKeeper(environment: Readonly<Record<string, string>> = {}): Promise<void> {
  const port = await freePort();
  keeperUrl = `http://127.0.0.1:${String(port)}`;
  keeper = spawn(process.execPath, ["components/commands/keep-models.ts"], {
    env: {
      ...process.env,
      OLLAMA_URL: ollamaUrl,
      MODELS_FILE: pathOf("models.json"),
      RECORDS_FILE: pathOf("records.json"),
      STATE_FILE: pathOf("state.json"),
      KEEPER_PORT: String(port),
      DRAIN_SECONDS: "60",
      ...environment,
    },
    stdio: "ignore",
  });
}

async function stopKeeper(): Promise<number | null> {
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
  await stopKeeper();
  await ollama.stop();
  rmSync(folder, { recursive: true });
});

it("pulls every listed model before its pod is ready, and records what is installed", async () => {
  writeModels(model("tiny:1b"), model("mine:latest", { source: "registry.example.org/library/big:7b" }));
  await startKeeper();
  await expect.poll(readyStatus).toBe(200);
  expect(modelNames()).toEqual(["tiny:1b", "mine:latest"]);
  await expect.poll(() => readState()?.complete).toBe(true);
  expect(readState()?.isInstalling).toBe(false);
  expect(readState()?.models.map(({ name, digest }) => [name, digest])).toEqual([
    ["tiny:1b", "d".repeat(64)],
    ["mine:latest", "d".repeat(64)],
  ]);
});

it("applies a changed list while its pod stays ready, and deletes only models that it installed", async () => {
  ollama.models.set("foreign:1b", { digest: "f".repeat(64), size: 1 });
  writeModels(model("tiny:1b"));
  await startKeeper();
  await expect.poll(readyStatus).toBe(200);
  const before = readState()?.version;
  writeModels(model("other:1b"));
  await expect.poll(modelNames).toEqual(["foreign:1b", "other:1b"]);
  expect(await readyStatus()).toBe(200);
  await expect.poll(() => readState()?.complete).toBe(true);
  expect(readState()?.version).not.toBe(before);
});

it("keeps a model with retain that is no longer listed", async () => {
  writeModels(model("tiny:1b", { retain: true }));
  await startKeeper();
  await expect.poll(readyStatus).toBe(200);
  writeModels(model("other:1b"));
  await expect.poll(modelNames).toEqual(["tiny:1b", "other:1b"]);
  await expect.poll(() => readState()?.models.map(({ name }) => name)).toEqual(["other:1b"]);
});

it("remembers its models across a restart and does not pull them again", async () => {
  writeModels(model("tiny:1b", { changes: { system: "You are kind." } }));
  await startKeeper();
  await expect.poll(readyStatus).toBe(200);
  expect(await stopKeeper()).toBe(0);
  await startKeeper();
  await expect.poll(readyStatus).toBe(200);
  expect(ollama.pulls).toHaveLength(1);
  writeModels(model("other:1b"));
  await expect.poll(modelNames).toEqual(["other:1b"]);
});

it("pulls a model again that someone deleted", async () => {
  writeModels(model("tiny:1b"));
  await startKeeper();
  await expect.poll(readyStatus).toBe(200);
  ollama.models.delete("tiny:1b");
  await expect.poll(modelNames).toEqual(["tiny:1b"]);
});

it("reports that it is installing a model, even while the line of its progress stays the same", async () => {
  await ollama.stop();
  ollama = new FakeOllama({ lines: [{ status: "verifying sha256 digest" }], then: "hang" });
  ollamaUrl = await ollama.start();
  writeModels(model("tiny:1b"));
  await startKeeper();
  await expect.poll(() => readState()?.line).toBe("verifying sha256 digest");
  expect(readState()).toMatchObject({ complete: false, isInstalling: true });
});

it("reports why a model cannot be installed, and is not ready", async () => {
  writeModels(model("tiny:1b", { digest: "a".repeat(64) }));
  await startKeeper();
  await expect.poll(() => readState()?.problem).toContain(`but ${"a".repeat(64)} is pinned`);
  expect(readState()).toMatchObject({ complete: false, isInstalling: false });
  expect(await readyStatus()).toBe(503);
});

it("reports that the disk of its pod is full", async () => {
  await ollama.stop();
  const error = "write /models/blobs/x: no space left on device";
  ollama = new FakeOllama({ lines: [{ error }], then: "end" });
  ollamaUrl = await ollama.start();
  writeModels(model("tiny:1b"));
  await startKeeper();
  await expect
    .poll(() => readState()?.problem)
    .toBe(
      `the disk of the pod's models is full (Ollama: ${error}). Remove models from the list, or raise modelStorageGiB; downloaded data is kept.`,
    );
});

it("reports models that are not completely in GPU memory, and stays ready", async () => {
  ollama.memory.set("tiny:1b", { size: 100, size_vram: 100 });
  ollama.memory.set("big:70b", { size: 200, size_vram: 50 });
  writeModels(model("tiny:1b"), model("big:70b"));
  await startKeeper({ CHECK_GPU_MEMORY: "true", LOAD_KEEP_ALIVE: "1m" });
  await expect
    .poll(() => readState()?.gpuProblems)
    .toEqual([expect.stringContaining("Model big:70b runs partly on the CPU")]);
  expect(await readyStatus()).toBe(200);
  expect([...ollama.loaded.values()]).toEqual(["1m", "1m"]);
  // Another process freed the memory.
  ollama.memory.set("big:70b", { size: 200, size_vram: 200 });
  await expect.poll(() => readState()?.gpuProblems, { timeout: 40_000 }).toEqual([]);
});

it("loads no models in a pod without GPUs", async () => {
  writeModels(model("tiny:1b"));
  await startKeeper();
  await expect.poll(() => readState()?.complete).toBe(true);
  expect(ollama.loaded.size).toBe(0);
  expect(readState()?.gpuProblems).toBeUndefined();
});
