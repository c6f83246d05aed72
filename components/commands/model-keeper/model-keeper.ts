import { createHash } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { modelRecord, type ModelRecord } from "../../config/models/model-record.ts";
import { type KeeperState, type PodModels, podModelList } from "../../config/kubernetes/pod-models.ts";
import { placeOf, placeOfLoaded, type PlaceWords } from "../model-install/gpu-memory.ts";
import { installModel } from "../model-install/install.ts";
import type { OllamaApi } from "../model-install/ollama-api.ts";
import { InstallError } from "../model-install/retry.ts";

interface Files {
  /** The list of models, which changes in place. */
  readonly wanted: string;
  /** What was installed, beside the models themselves. */
  readonly records: string;
  /** How far it is, for whoever looks. */
  readonly state: string;
}

interface GpuCheck extends PlaceWords {
  /** How long a model stays loaded that is looked at; undefined: as long as the server says. */
  readonly keepAlive: string | undefined;
}

const keptModel = modelRecord.extend({ retain: z.boolean() });
type KeptModel = z.output<typeof keptModel>;

const pollMs = 1000;
// A model that somebody deleted is noticed by then.
const recheckMs = 5000;
const retryMs = 15_000;
// A model that was not in GPU memory is looked at again after that time.
const lookAgainMs = 10_000;

/** Keeps the models of one Ollama as a list says. */
export class ModelKeeper {
  readonly #api: OllamaApi;
  readonly #files: Files;
  readonly #gpus: GpuCheck | undefined;
  /** By name and digest: why a model is not in GPU memory, and when that was found. */
  readonly #places = new Map<string, { readonly problem: string | undefined; readonly foundAt: number }>();
  readonly #records: Map<string, KeptModel>;
  #state: KeeperState = { version: "", complete: false, line: "waiting for Ollama", models: [] };
  #hasBeenComplete = false;

  /** @param gpus how it looks whether models are in GPU memory; undefined: its pod has no GPUs */
  constructor(api: OllamaApi, files: Files, gpus?: GpuCheck) {
    this.#api = api;
    this.#files = files;
    this.#gpus = gpus;
    this.#records = readRecords(files.records);
    this.#set({});
  }

  /** Whether all models of a list have been there once. */
  get hasBeenComplete(): boolean {
    return this.#hasBeenComplete;
  }

  /** Never returns. */
  async run(): Promise<never> {
    let done = "";
    let checkedAt = 0;
    for (;;) {
      const text = readFileSync(this.#files.wanted, "utf8");
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

  /** Makes what is there what the list says. Returns whether it is. */
  async #ensure(version: string, text: string): Promise<boolean> {
    if (version !== this.#state.version)
      this.#set({ version, complete: false, problem: undefined, gpuProblems: undefined });
    try {
      const wanted = podModelList.parse(JSON.parse(text));
      if (!(await this.#responds())) return false;
      for (const model of wanted.models) await this.#install(model, wanted.stallSeconds);
      await this.#removeOthers(wanted);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#say(message);
      // Anything else, such as an Ollama that restarts, goes away by itself.
      this.#set({ complete: false, problem: error instanceof InstallError ? message : undefined });
      return false;
    }
    this.#hasBeenComplete = true;
    const models = [...this.#records.values()].map(({ name, digest, size }) => ({ name, digest, size }));
    this.#set({ complete: true, problem: undefined, models });
    return this.#lookAtGpus(models);
  }

  /** Once for each model: whether it is in GPU memory. A pod serves all the same. */
  async #lookAtGpus(models: KeeperState["models"]): Promise<boolean> {
    if (this.#gpus === undefined) return true;
    const { keepAlive, ...words } = this.#gpus;
    try {
      // One after another: two at once would take the memory from each other.
      for (const model of models) {
        const known = this.#places.get(keyOf(model));
        if (known !== undefined && !isOld(known)) continue;
        if (known === undefined)
          this.#set({ gpuProblems: undefined, line: `looking where ${model.name} is loaded` });
        // Later only if it is loaded anyway: loading it again and again would evict what clients use.
        const place =
          known === undefined
            ? await placeOf(this.#api, model, words, keepAlive)
            : await placeOfLoaded(this.#api, model, words);
        const problem = place === undefined ? known?.problem : place.problem;
        if (problem !== undefined && problem !== known?.problem) this.#say(problem);
        this.#places.set(keyOf(model), { problem, foundAt: Date.now() });
      }
    } catch (error) {
      // Ollama is about to restart.
      this.#say(error instanceof Error ? error.message : String(error));
      return false;
    }
    const problems = models.map((model) => this.#places.get(keyOf(model))?.problem);
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
    if ((await this.#api.installed(model.name)) === undefined) this.#set({ complete: false });
    const isQuiet = this.#state.complete;
    const record = await installModel(this.#api, { ...rest, digest, request: undefined }, before, {
      stallSeconds,
      say: (line) => {
        // Every look at what is there would say so.
        if (!isQuiet) this.#say(line);
      },
    });
    if (before !== undefined && sameRecord(before, record) && before.retain === retain) return;
    this.#records.set(model.name, { ...record, retain });
    this.#writeRecords();
  }

  /** What it installed once and the list does not name any more. */
  async #removeOthers({ models }: PodModels): Promise<void> {
    const names = new Set(models.map(({ name }) => name));
    for (const { name, retain } of [...this.#records.values()]) {
      if (names.has(name)) continue;
      if (!retain) {
        await this.#api.delete(name);
        this.#say(`${name} is deleted`);
      }
      this.#records.delete(name);
      this.#writeRecords();
    }
  }

  #writeRecords(): void {
    writeInPlace(this.#files.records, [...this.#records.values()]);
  }

  #say(line: string): void {
    console.error(line);
    this.#set({ line });
  }

  #set(change: Partial<KeeperState>): void {
    this.#state = { ...this.#state, ...change };
    writeInPlace(this.#files.state, this.#state);
  }
}

/** Memory that something else took may be free by now. */
function isOld({ problem, foundAt }: { readonly problem: string | undefined; readonly foundAt: number }) {
  return problem !== undefined && Date.now() - foundAt > lookAgainMs;
}

const keyOf = ({ name, digest }: KeeperState["models"][number]) => `${name} ${digest}`;

function sameRecord(left: ModelRecord, right: ModelRecord): boolean {
  return left.digest === right.digest && left.source === right.source && left.changes === right.changes;
}

/** Without its file, or with one that cannot be read, nothing is known of what is there. */
function readRecords(path: string): Map<string, KeptModel> {
  try {
    const records = z.array(keptModel).parse(JSON.parse(readFileSync(path, "utf8")));
    return new Map(records.map((record) => [record.name, record]));
  } catch {
    return new Map();
  }
}

/** Whoever reads it sees the old content or the new one. */
function writeInPlace(path: string, value: unknown): void {
  writeFileSync(`${path}.new`, JSON.stringify(value));
  renameSync(`${path}.new`, path);
}
