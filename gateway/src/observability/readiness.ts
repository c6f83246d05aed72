import type { BackendPool } from "../backends/backend-pool.ts";
import { ApiError } from "../errors.ts";
import { canonicalModelName } from "../ollama/model-name.ts";

type ReadinessResult =
  | { readonly ready: true }
  /** Required models that no backend has, or why that is unknown. */
  | { readonly ready: false; readonly missing: readonly string[]; readonly reason?: string };

/**
 * Whether the required models are installed, according to the background probes. Makes no requests and does not wait:
 * the endpoint needs no key, and orchestrators allow it a second.
 */
export class Readiness {
  readonly #backends: BackendPool;
  readonly #required: readonly { readonly name: string; readonly model: string }[];

  constructor(backends: BackendPool, required: readonly string[]) {
    this.#backends = backends;
    this.#required = required.map((name) => ({ name, model: canonicalModelName(name) }));
  }

  check(): ReadinessResult {
    const { all, probed } = this.#backends;
    if (!all.some((backend) => backend.alive && backend.hasModelList)) {
      return {
        ready: false,
        missing: [],
        reason: probed ? this.#unavailableReason() : "Ollama is being probed.",
      };
    }
    const missing = new Set(this.#backends.missingModels(this.#required.map(({ model }) => model)));
    if (missing.size === 0) return { ready: true };
    return {
      ready: false,
      missing: this.#required.filter(({ model }) => missing.has(model)).map(({ name }) => name),
    };
  }

  #unavailableReason(): string {
    const { all, members } = this.#backends;
    if (all.length > 0) return new ApiError("upstream_unreachable").message;
    return members.names.some(({ failure }) => failure !== undefined)
      ? "The DNS name in LLM_BACKENDS cannot be looked up, so that no Ollama server is known. Requests wait in the queue."
      : "There is no Ollama server: the DNS name in LLM_BACKENDS has no addresses. Requests wait in the queue.";
  }
}
