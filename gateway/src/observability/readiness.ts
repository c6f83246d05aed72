import { ApiError, toApiError } from "../errors.ts";
import { canonicalModelName } from "../ollama/model-name.ts";
import type { OllamaModel } from "../ollama/types.ts";

// Orchestrators and load balancers look every few seconds.
const FRESH_MS = 1000;

export type ReadinessResult =
  | { readonly ready: true }
  /** The required models that no server has, or why none could say. */
  | { readonly ready: false; readonly missing: readonly string[]; readonly error?: ApiError };

interface Models {
  models(): Promise<readonly OllamaModel[]>;
}

/**
 * Whether the required models are there. Anybody may ask, without a key, so that it costs the servers next to nothing:
 * they are asked once a second at most, and once for all who ask at the same time.
 */
export class Readiness {
  readonly #backends: Models;
  readonly #required: readonly string[];
  #result: Promise<ReadinessResult> | undefined;
  #freshUntil = 0;

  constructor(backends: Models, required: readonly string[]) {
    this.#backends = backends;
    this.#required = required;
  }

  /** Never rejects. */
  check(): Promise<ReadinessResult> {
    if (this.#result === undefined || performance.now() > this.#freshUntil) {
      this.#freshUntil = Infinity;
      this.#result = this.#look().finally(() => {
        this.#freshUntil = performance.now() + FRESH_MS;
      });
    }
    return this.#result;
  }

  async #look(): Promise<ReadinessResult> {
    try {
      const present = new Set((await this.#backends.models()).map(({ name }) => canonicalModelName(name)));
      const missing = this.#required.filter((name) => !present.has(canonicalModelName(name)));
      return missing.length === 0 ? { ready: true } : { ready: false, missing };
    } catch (error) {
      return { ready: false, missing: [], error: toApiError(error) };
    }
  }
}
