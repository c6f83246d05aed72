import { createHash } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { modelRecord, type ModelRecord } from "../../config/models/model-record.ts";
import { type KeeperState, type PodModels, podModelList } from "../../config/kubernetes/pod-models.ts";
import { checkPlacement, checkLoadedPlacement, type ServerLabels } from "../model-install/gpu-memory.ts";
import { installModel } from "../model-install/install.ts";
import type { OllamaApi } from "../model-install/ollama-api.ts";
import { InstallError } from "../model-install/retry.ts";

interface Files {
  /** The list of models, which changes in place. */
  readonly list: string;
  /** Records of installed models, on the models' volume. */
  readonly records: string;
  /** Progress, read by commands of the update. */
  readonly state: string;
}

interface GpuCheck extends ServerLabels {
  /** How long a checked model stays loaded; undefined for the server's setting. */
  readonly keepAlive: string | undefined;
}

const keptModel = modelRecord.extend({ retain: z.boolean() });
type KeptModel = z.output<typeof keptModel>;

const diskFull = {
  problem: "the disk of the pod's models is full",
  remedy: "Remove models from the list, or raise modelStorageGiB",
};
const pollMs = 1000;
// Interval for noticing models that somebody deleted.
const recheckMs = 5000;
const retryMs = 15_000;
// Interval for rechecking a model that was not in GPU memory.
const recheckGpuMs = 10_000;

/** Keeps an Ollama server's models in sync with a list. */
export class ModelKeeper {
  readonly #api: OllamaApi;
  readonly #files: Files;
  readonly #gpus: GpuCheck | undefined;
  /** GPU memory checks by model name and digest. */
  readonly #placements = new Map<
    string,
    { readonly problem: string | undefined; readonly checkedAt: number }
  >();
  readonly #records: Map<string, KeptModel>;
  #state: KeeperState = { version: "", complete: false, line: "waiting for Ollama", models: [] };
  #hasBeenComplete = false;

  /** @param gpus settings of the GPU memory check; undefined for a pod without GPUs */
  constructor(api: OllamaApi, files: Files, gpus?: GpuCheck) {
    this.#api = api;
    this.#files = files;
    this.#gpus = gpus;
    this.#records = readRecords(files.records);
    this.#set({});
  }

  /** Whether all models of a list have been installed at least once. */
  get hasBeenComplete(): boolean {
    return this.#hasBeenComplete;
  }

  /** Never returns. */
  async run(): Promise<never> {
    let done = "";
    let checkedAt = 0;
    for (;;) {
      const text = readFileSync(this.#files.list, "utf8");
      const version = createHash("sha256").update(text).digest("hex").slice(0, 16);
      const isDue = version !== done || Date.now() - checkedAt > recheckMs;
      if (isDue) {
        const succeeded = await this.#ensure(version, text);
        if (succeeded) [done, checkedAt] = [version, Date.now()];
        else await sleep(this.#state.problem === undefined ? pollMs : retryMs);
      }
      await sleep(pollMs);
    }
  }

  /** Installs and removes models according to the list. Returns whether that succeeded. */
  async #ensure(version: string, text: string): Promise<boolean> {
    if (version !== this.#state.version)
      this.#set({ version, complete: false, problem: undefined, gpuProblems: undefined });
    try {
      const list = podModelList.parse(JSON.parse(text));
      if (!(await this.#responds())) return false;
      if (!this.#state.complete) this.#set({ isInstalling: true });
      for (const model of list.models) await this.#install(model, list.stallSeconds);
      await this.#removeOthers(list);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#log(message);
      // Other errors are temporary, such as a restart of Ollama.
      this.#set({
        complete: false,
        isInstalling: false,
        problem: error instanceof InstallError ? message : undefined,
      });
      return false;
    }
    this.#hasBeenComplete = true;
    const models = [...this.#records.values()].map(({ name, digest, size }) => ({ name, digest, size }));
    this.#set({ complete: true, isInstalling: false, problem: undefined, models });
    return this.#checkGpuMemory(models);
  }

  /** Checks once for each model that it is in GPU memory. The pod serves regardless of the result. */
  async #checkGpuMemory(models: KeeperState["models"]): Promise<boolean> {
    if (this.#gpus === undefined) return true;
    const { keepAlive, ...labels } = this.#gpus;
    try {
      // Sequentially, because two models would compete for the memory.
      for (const model of models) {
        const known = this.#placements.get(keyOf(model));
        if (known !== undefined && !isStale(known)) continue;
        if (known === undefined)
          this.#set({ gpuProblems: undefined, line: `checking where ${model.name} is loaded` });
        // Rechecks only if it is loaded, because loading it repeatedly would evict models that clients use.
        const placement =
          known === undefined
            ? await checkPlacement(this.#api, model, models, labels, keepAlive)
            : await checkLoadedPlacement(this.#api, model, labels);
        const problem = placement === undefined ? known?.problem : placement.problem;
        if (problem !== undefined && problem !== known?.problem) this.#log(problem);
        this.#placements.set(keyOf(model), { problem, checkedAt: Date.now() });
      }
    } catch (error) {
      // Ollama is about to restart.
      this.#log(error instanceof Error ? error.message : String(error));
      return false;
    }
    const problems = models.map((model) => this.#placements.get(keyOf(model))?.problem);
    this.#set({ gpuProblems: problems.filter((each) => each !== undefined) });
    return true;
  }

  async #responds(): Promise<boolean> {
    try {
      await this.#api.installed("");
      return true;
    } catch {
      return false;
    }
  }

  async #install(model: PodModels["models"][number], stallSeconds: number): Promise<void> {
    const before = this.#records.get(model.name);
    const { retain, digest, ...rest } = model;
    if ((await this.#api.installed(model.name)) === undefined)
      this.#set({ complete: false, isInstalling: true });
    const isQuiet = this.#state.complete;
    const record = await installModel(this.#api, { ...rest, digest, request: undefined }, before, {
      stallSeconds,
      diskFull,
      log: (line) => {
        // Every recheck would log the same lines.
        if (!isQuiet) this.#log(line);
      },
    });
    if (before !== undefined && sameRecord(before, record) && before.retain === retain) return;
    this.#records.set(model.name, { ...record, retain });
    this.#writeRecords();
  }

  /** Removes models that it installed and that are no longer listed. */
  async #removeOthers({ models }: PodModels): Promise<void> {
    const names = new Set(models.map(({ name }) => name));
    for (const { name, retain } of [...this.#records.values()]) {
      if (names.has(name)) continue;
      if (!retain) {
        await this.#api.delete(name);
        this.#log(`${name} is deleted`);
      }
      this.#records.delete(name);
      this.#writeRecords();
    }
  }

  #writeRecords(): void {
    writeInPlace(this.#files.records, [...this.#records.values()]);
  }

  #log(line: string): void {
    console.error(line);
    this.#set({ line });
  }

  #set(change: Partial<KeeperState>): void {
    this.#state = { ...this.#state, ...change };
    writeInPlace(this.#files.state, this.#state);
  }
}

/** Whether a problem should be rechecked, because memory may have become free. */
function isStale({
  problem,
  checkedAt,
}: {
  readonly problem: string | undefined;
  readonly checkedAt: number;
}) {
  return problem !== undefined && Date.now() - checkedAt > recheckGpuMs;
}

const keyOf = ({ name, digest }: KeeperState["models"][number]) => `${name} ${digest}`;

function sameRecord(left: ModelRecord, right: ModelRecord): boolean {
  return left.digest === right.digest && left.source === right.source && left.changes === right.changes;
}

/** Reads the records; empty if the file is missing or invalid. */
function readRecords(path: string): Map<string, KeptModel> {
  try {
    const records = z.array(keptModel).parse(JSON.parse(readFileSync(path, "utf8")));
    return new Map(records.map((record) => [record.name, record]));
  } catch {
    return new Map();
  }
}

/** Replaces a file atomically. */
function writeInPlace(path: string, value: unknown): void {
  writeFileSync(`${path}.new`, JSON.stringify(value));
  renameSync(`${path}.new`, path);
}
