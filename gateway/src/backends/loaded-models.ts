import { canonicalModelName } from "../ollama/model-name.ts";
import type { RunnerOptions } from "../ollama/runner-options.ts";
import type { OllamaRunning } from "../ollama/types.ts";

/** The model that a request needs, and how it must be loaded. */
export interface RunnerRequirement {
  /** Canonical name. */
  readonly model: string;
  /** Requested context length in tokens; undefined for the model's default. */
  readonly context: number | undefined;
  /** Other options that affect the load, as `runnerKeyOf` formats them; empty for the model's defaults. */
  readonly runner: string;
}

/** A context length in tokens, and the parameter that requests it. */
export interface NeededContext {
  readonly tokens: number;
  readonly param: string;
}

/** Everything needed to load the model: the path determines its kind, `keepAlive` how long it stays. */
export interface ModelRequirement extends RunnerRequirement {
  /** The model's name as sent by the client. */
  readonly name: string;
  readonly path: string;
  readonly keepAlive: unknown;
  /** Options to load it with, including the context; undefined for the model's defaults. */
  readonly options: RunnerOptions | undefined;
}

export function sameModel(left: RunnerRequirement, right: RunnerRequirement): boolean {
  return left.model === right.model && left.context === right.context && left.runner === right.runner;
}

interface Loaded {
  /** The actual context length. */
  readonly context: number | undefined;
  /**
   * Settings known to run on this load. Ollama reloads the model for others, and may grant less context than requested.
   */
  readonly requestedWith: Set<string>;
  /** When it will be unloaded if unused, by `performance.now()`. */
  until: number;
  /** The `keep_alive` of the last request that had one, in milliseconds; Ollama continues to use it. */
  keptMs: number | undefined;
  /** Minimum time that it stays loaded after a request, in milliseconds, as far as is known. */
  staysMs: number;
  /** Undefined until the server has reported it. */
  readonly memory?: ModelMemory | undefined;
}

/** Memory used by a loaded model. */
export interface ModelMemory {
  readonly bytes: number;
  /** The part on GPUs. */
  readonly gpuBytes: number;
}

// Resolution of the Date header, which gives the server's clock.
const CLOCK_STEP_MS = 1000;

/** Models loaded by one Ollama server, as last reported and as inferred from requests since. */
export class LoadedModels {
  /** Called when the set of loaded models changes. */
  onChange: () => void = () => undefined;
  #models = new Map<string, Loaded>();

  /** Whether the model is loaded with the required settings. */
  has(requirement: RunnerRequirement): boolean {
    const { model, context, runner } = requirement;
    const loaded = this.#present(model);
    if (loaded === undefined) return false;
    if (loaded.requestedWith.has(settingsOf(requirement))) return true;
    if (runner !== "") return false;
    // Loaded by another client: assume the model's defaults.
    if (context === undefined) return loaded.requestedWith.size === 0;
    return loaded.context === context && [...loaded.requestedWith].every((settings) => !hasRunner(settings));
  }

  /** Whether the model is loaded with any settings. */
  hasAny(model: string): boolean {
    return this.#present(model) !== undefined;
  }

  /** Context length in tokens if the model is loaded with the required settings and the server has reported it. */
  contextOf(requirement: RunnerRequirement): number | undefined {
    return this.has(requirement) ? this.#models.get(requirement.model)?.context : undefined;
  }

  /** Context length in tokens of the loaded model, with whatever settings. */
  loadedContextOf(model: string): number | undefined {
    return this.#present(model)?.context;
  }

  get count(): number {
    return this.#models.size;
  }

  /** Models that were loaded when last seen. */
  get names(): Iterable<string> {
    return this.#models.keys();
  }

  /** Reported memory use by model. */
  memory(): [model: string, memory: ModelMemory][] {
    return [...this.#models].flatMap(([model, { memory }]) =>
      memory === undefined ? [] : [[model, memory]],
    );
  }

  /**
   * Replaces the list by what the server reported.
   *
   * @param now the server's clock, in milliseconds
   */
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

  /** The last `keep_alive` for the model, in milliseconds. */
  keptMs(model: string): number | undefined {
    return this.#models.get(model)?.keptMs;
  }

  /** Minimum time that the model stays loaded after a request, in milliseconds, as far as is known. */
  staysMs(model: string): number {
    return this.#present(model)?.staysMs ?? 0;
  }

  /**
   * Records that a load or response has shown the model to be loaded.
   *
   * @param keptMs how long it stays loaded; undefined until the server reports otherwise
   */
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

function settingsOf({ context, runner }: RunnerRequirement): string {
  return `${context ?? ""} ${runner}`;
}

function hasRunner(settings: string): boolean {
  return !settings.endsWith(" ");
}
