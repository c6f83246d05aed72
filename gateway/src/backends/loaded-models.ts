import { canonicalModelName } from "../ollama/model-name.ts";
import type { RunnerOptions } from "../ollama/runner-options.ts";
import type { OllamaRunning } from "../ollama/types.ts";

/** The model a request needs, as it needs it. */
export interface RunnerRequirement {
  /** The model's one spelling. */
  readonly model: string;
  /** The requested context, in tokens; undefined means the server's default for the model. */
  readonly context: number | undefined;
  /** What it is to be loaded with beside that, as `runnerKeyOf` writes it; empty means the model's own. */
  readonly runner: string;
}

/** A context that a request needs, in tokens, and the parameter that says so. */
export interface NeededContext {
  readonly tokens: number;
  readonly param: string;
}

/** How a load is requested: the route decides what kind of model it is, the client how long it stays. */
export interface ModelRequirement extends RunnerRequirement {
  /** The model's name as the client wrote it. */
  readonly name: string;
  readonly path: string;
  readonly keepAlive: unknown;
  /** What the model is to be loaded with, its context included; undefined means its own. */
  readonly options: RunnerOptions | undefined;
}

export function sameModel(left: RunnerRequirement, right: RunnerRequirement): boolean {
  return left.model === right.model && left.context === right.context && left.runner === right.runner;
}

interface Loaded {
  /** The context it really has. */
  readonly context: number | undefined;
  /** What it was requested with: Ollama loads it again for anything else, and may give less context than requested. */
  readonly requestedWith: Set<string>;
  /** When it will be unloaded if nobody asks, on this process's clock. */
  until: number;
  /** How long it stays after a request, ms, when a client said so: Ollama goes on with that. */
  keptMs: number | undefined;
  /** How long it stays after a request at least, ms, as far as a client or the server said. */
  staysMs: number;
  /** Undefined until the server has said it. */
  readonly memory?: ModelMemory | undefined;
}

/** What a loaded model takes. */
export interface ModelMemory {
  readonly bytes: number;
  /** How many of them are on GPUs. */
  readonly gpuBytes: number;
}

// The Date header that the server's clock is read from counts in seconds.
const CLOCK_STEP_MS = 1000;

/** What one Ollama server has loaded: what it said last, and what has been learned since. */
export class LoadedModels {
  /** Called when other models are loaded than before. */
  onChange: () => void = () => undefined;
  #models = new Map<string, Loaded>();

  /** Whether the model is loaded as it is requirement. */
  has(requirement: RunnerRequirement): boolean {
    const { model, context, runner } = requirement;
    const loaded = this.#present(model);
    if (loaded === undefined) return false;
    if (loaded.requestedWith.has(settingsOf(requirement))) return true;
    if (runner !== "") return false;
    // Loaded by another client of the server: with its default, one has to believe.
    if (context === undefined) return loaded.requestedWith.size === 0;
    return loaded.context === context && [...loaded.requestedWith].every((settings) => !hasRunner(settings));
  }

  /** Whether the model is loaded, with whatever context. */
  hasAny(model: string): boolean {
    return this.#present(model) !== undefined;
  }

  /** How many tokens the model can attend to, when it is loaded as requirement and the server said. */
  contextOf(requirement: RunnerRequirement): number | undefined {
    return this.has(requirement) ? this.#models.get(requirement.model)?.context : undefined;
  }

  /** How many tokens the model can attend to as it is loaded, however that is, when the server said. */
  loadedContextOf(model: string): number | undefined {
    return this.#present(model)?.context;
  }

  get count(): number {
    return this.#models.size;
  }

  /** What has been loaded, and may have been unloaded since. */
  get names(): Iterable<string> {
    return this.#models.keys();
  }

  /** What each model takes, as far as the server said. */
  memory(): [model: string, memory: ModelMemory][] {
    return [...this.#models].flatMap(([model, { memory }]) =>
      memory === undefined ? [] : [[model, memory]],
    );
  }

  /** Takes what the server said. @param now the time on its clock, ms */
  replace(running: readonly OllamaRunning[], now: number): void {
    const before = this.#models;
    this.#models = new Map(
      running.map((entry) => {
        const model = canonicalModelName(entry.name);
        const expires = Date.parse(entry.expires_at ?? "");
        const left = Number.isNaN(expires) ? Infinity : expires - now - CLOCK_STEP_MS;
        const before = this.#models.get(model);
        const same = before?.context === undefined || before.context === entry.context_length;
        return [
          model,
          {
            context: entry.context_length,
            requestedWith: same ? (before?.requestedWith ?? new Set()) : new Set(),
            until: performance.now() + left,
            keptMs: before?.keptMs,
            staysMs: Math.max(before?.staysMs ?? 0, left === Infinity ? 0 : left),
            memory: memoryOf(entry),
          },
        ];
      }),
    );
    if (!haveSameKeys(before, this.#models)) this.onChange();
  }

  /** How long a client requirement the model kept that was the last to say so, ms. */
  keptMs(model: string): number | undefined {
    return this.#models.get(model)?.keptMs;
  }

  /** How long the model stays loaded after a request at least, ms, as far as a client or the server said. */
  staysMs(model: string): number {
    return this.#present(model)?.staysMs ?? 0;
  }

  /** A load or an answer showed that it is loaded, and stays so for `keptMs`, or until the server says otherwise. */
  confirm(requirement: RunnerRequirement, keptMs: number | undefined): void {
    const { model } = requirement;
    if (keptMs === 0) {
      this.#models.delete(model);
      this.onChange();
      return;
    }
    const loaded = this.#models.get(model);
    const known = loaded !== undefined && this.has(requirement);
    const settings = settingsOf(requirement);
    const until = keptMs === undefined ? Infinity : performance.now() + keptMs;
    const staysMs = keptMs ?? loaded?.staysMs ?? 0;
    if (known) {
      loaded.requestedWith.add(settings);
      loaded.until = until;
      loaded.keptMs = keptMs;
      loaded.staysMs = staysMs;
    } else {
      const requestedWith = new Set([settings]);
      this.#models.set(model, { context: undefined, requestedWith, until, keptMs, staysMs });
      if (loaded === undefined) this.onChange();
    }
  }

  #present(model: string): Loaded | undefined {
    const loaded = this.#models.get(model);
    return loaded === undefined || loaded.until < performance.now() ? undefined : loaded;
  }
}

export function haveSameKeys(
  left: ReadonlyMap<string, unknown>,
  right: ReadonlyMap<string, unknown>,
): boolean {
  return left.size === right.size && [...left.keys()].every((key) => right.has(key));
}

function memoryOf({ size, size_vram: gpuBytes = 0 }: OllamaRunning): ModelMemory | undefined {
  return size === undefined ? undefined : { bytes: size, gpuBytes };
}

// What most requests have.
const DEFAULT_SETTINGS = " ";

function settingsOf({ context, runner }: RunnerRequirement): string {
  return context === undefined && runner === "" ? DEFAULT_SETTINGS : `${context ?? ""} ${runner}`;
}

function hasRunner(settings: string): boolean {
  return !settings.endsWith(" ");
}
