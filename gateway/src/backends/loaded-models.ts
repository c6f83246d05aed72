import { canonicalModelName } from "../ollama/model-name.ts";
import type { OllamaRunning } from "../ollama/types.ts";

/** The model a request needs, as it needs it. */
export interface Wanted {
  /** The model's one spelling. */
  readonly model: string;
  /** The context asked for, in tokens; undefined means the server's default for the model. */
  readonly context: number | undefined;
}

/** How a load is asked for: the route decides what kind of model it is, the client how long it stays. */
export interface LoadRequest extends Wanted {
  /** The model's name as the client wrote it. */
  readonly name: string;
  readonly path: string;
  readonly keepAlive: unknown;
}

export function sameModel(left: Wanted, right: Wanted): boolean {
  return left.model === right.model && left.context === right.context;
}

interface Loaded {
  /** The context it really has. */
  readonly context: number | undefined;
  /** The contexts it was asked with: Ollama loads anew for another one, and may give less than was asked for. */
  readonly askedWith: Set<number | undefined>;
  /** When it will be unloaded if nobody asks, on this process's clock. */
  until: number;
  /** How long it stays after a request, ms, when a client said so: Ollama goes on with that. */
  keptMs: number | undefined;
}

// The Date header that the server's clock is read from counts in seconds.
const CLOCK_STEP_MS = 1000;

/** What one Ollama server has loaded: what it said last, and what has been learned since. */
export class LoadedModels {
  #models = new Map<string, Loaded>();

  /** Whether the model is loaded as it is wanted. */
  has({ model, context }: Wanted): boolean {
    const loaded = this.#present(model);
    if (loaded === undefined) return false;
    if (loaded.askedWith.has(context)) return true;
    // Loaded by somebody else: with its default, one has to believe.
    return context === undefined ? loaded.askedWith.size === 0 : loaded.context === context;
  }

  /** Whether the model is loaded, with whatever context. */
  hasAny(model: string): boolean {
    return this.#present(model) !== undefined;
  }

  /** How many tokens the model can attend to, when it is loaded as wanted and the server said. */
  contextOf(wanted: Wanted): number | undefined {
    return this.has(wanted) ? this.#models.get(wanted.model)?.context : undefined;
  }

  get count(): number {
    return this.#models.size;
  }

  /** Takes what the server said. @param now the time on its clock, ms */
  replace(running: readonly OllamaRunning[], now: number): void {
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
            askedWith: same ? (before?.askedWith ?? new Set()) : new Set(),
            until: performance.now() + left,
            keptMs: before?.keptMs,
          },
        ];
      }),
    );
  }

  /** How long a client wanted the model kept that was the last to say so, ms. */
  keptMs(model: string): number | undefined {
    return this.#models.get(model)?.keptMs;
  }

  /** A load or an answer showed that it is loaded, and stays so for `keptMs`, or until the server says otherwise. */
  confirm(wanted: Wanted, keptMs: number | undefined): void {
    const { model, context } = wanted;
    if (keptMs === 0) {
      this.#models.delete(model);
      return;
    }
    const loaded = this.#models.get(model);
    const known = loaded !== undefined && this.has(wanted);
    const askedWith = known ? loaded.askedWith.add(context) : new Set([context]);
    const until = keptMs === undefined ? Infinity : performance.now() + keptMs;
    this.#models.set(model, { context: known ? loaded.context : undefined, askedWith, until, keptMs });
  }

  #present(model: string): Loaded | undefined {
    const loaded = this.#models.get(model);
    return loaded === undefined || loaded.until < performance.now() ? undefined : loaded;
  }
}
