import type { Backend } from "./backend.ts";
import { ApiError, toApiError } from "../errors.ts";
import { type ModelRequirement, type RunnerRequirement, sameModel } from "./loaded-models.ts";
import { keepAliveMs } from "../ollama/keep-alive.ts";
import type { UnaryRequest } from "../ollama/types.ts";

export interface LoadOutcome {
  readonly backend: Backend;
  readonly requirement: RunnerRequirement;
  readonly model: string;
  readonly milliseconds: number;
  readonly error: ApiError | undefined;
}

/** A load in progress. */
interface PendingLoad {
  readonly backend: Backend;
  readonly requirement: ModelRequirement;
  readonly controller: AbortController;
}

// `keep_alive` for "never unload".
const NEVER_UNLOAD = -1;

// How long a failed load keeps the backend from being tried again to relieve another one.
const FAILURE_MEMORY_MS = 10_000;

const MIN_KEEP_ALIVE_MS = 60_000;

/**
 * Loads models independently of client requests, one load per backend and requirement. Ollama cancels a load when the
 * requesting client disconnects; a load started here continues.
 */
export class ModelLoader {
  /** Called when a load has ended. */
  onEnd: (outcome: LoadOutcome) => void = () => undefined;
  readonly #timeoutMs: number;
  readonly #keptLoaded: ReadonlySet<string>;
  /** By backend and requirement. */
  readonly #pending = new Map<string, PendingLoad>();
  readonly #failures = new Map<string, number>();

  /** @param keptLoaded canonical names of models to keep loaded unless a request has its own `keep_alive` */
  constructor(timeoutMs: number, keptLoaded: ReadonlySet<string>) {
    this.#timeoutMs = timeoutMs;
    this.#keptLoaded = keptLoaded;
  }

  /** Loads in progress. */
  get pending(): readonly PendingLoad[] {
    return [...this.#pending.values()];
  }

  get count(): number {
    return this.#pending.size;
  }

  /** Whether the model is being loaded on any backend. */
  isLoading(requirement: RunnerRequirement): boolean {
    return this.pending.some((load) => sameModel(load.requirement, requirement));
  }

  isLoadingOn(backend: Backend, requirement: RunnerRequirement): boolean {
    return this.#pending.has(keyOf(backend, requirement));
  }

  failedRecently(backend: Backend, requirement: RunnerRequirement): boolean {
    const failedAt = this.#failures.get(keyOf(backend, requirement));
    return failedAt !== undefined && performance.now() - failedAt < FAILURE_MEMORY_MS;
  }

  /**
   * Starts a load; the caller has checked that it is not in progress on this backend. Never rejects: the outcome goes
   * to `onEnd`.
   */
  async begin(backend: Backend, requested: ModelRequirement): Promise<void> {
    const neverUnload = requested.keepAlive === undefined && this.#keptLoaded.has(requested.model);
    const requirement = neverUnload ? { ...requested, keepAlive: NEVER_UNLOAD } : requested;
    const key = keyOf(backend, requirement);
    const startedAt = performance.now();
    const controller = new AbortController();
    this.#pending.set(key, { backend, requirement, controller });
    const timer = setTimeout(() => {
      controller.abort(new ApiError("load_timeout"));
    }, this.#timeoutMs);
    let error: ApiError | undefined;
    try {
      await backend.client.request(loadRequestOf(requirement), controller.signal);
      // Learns which models had to make room.
      await backend.state.refresh();
      backend.loaded.confirm(requirement, keepAliveMs(keepAliveFor(requirement)));
      this.#failures.delete(key);
    } catch (thrown) {
      error = toApiError(thrown);
      // A failure caused by the client's context does not reflect the backend's health.
      const source = requirement.context === undefined ? `load of ${requirement.model}` : undefined;
      backend.failed(error, requirement.model, source);
      this.#noteFailure(key);
    } finally {
      clearTimeout(timer);
      this.#pending.delete(key);
    }
    const milliseconds = performance.now() - startedAt;
    this.onEnd({ backend, requirement, model: requirement.model, milliseconds, error });
  }

  /** Aborts all loads on a removed backend, so that waiting requests move on. */
  abandon(removed: Backend): void {
    for (const { backend, controller } of this.#pending.values()) {
      if (backend === removed) controller.abort(new ApiError("upstream_unreachable"));
    }
  }

  close(): void {
    for (const { controller } of this.#pending.values()) controller.abort(new ApiError("shutting_down"));
  }

  /** Expired entries are removed, oldest first. Keys contain client input, so they must not accumulate. */
  #noteFailure(key: string): void {
    const now = performance.now();
    this.#failures.delete(key);
    this.#failures.set(key, now);
    for (const [each, failedAt] of this.#failures) {
      if (now - failedAt < FAILURE_MEMORY_MS) break;
      this.#failures.delete(each);
    }
  }
}

function keyOf({ name }: Backend, { model, context, runner }: RunnerRequirement): string {
  return `${name} ${model} ${context ?? ""} ${runner}`;
}

/** Builds a request without input, which makes Ollama only load the model. */
function loadRequestOf(requirement: ModelRequirement): UnaryRequest {
  const { name, options: runnerOptions, path } = requirement;
  const emptyInput = path === "/api/chat" ? { messages: [] } : path === "/api/embed" ? { input: [] } : {};
  const options = runnerOptions === undefined ? {} : { options: runnerOptions };
  const keepAlive = keepAliveFor(requirement);
  const keep = keepAlive === undefined ? {} : { keep_alive: keepAlive };
  return {
    method: "POST",
    path,
    model: name,
    body: { model: name, stream: false, ...emptyInput, ...keep, ...options },
  };
}

/** A short `keep_alive` of the request could unload the model before the request arrives; leave it to the request. */
function keepAliveFor({ keepAlive }: ModelRequirement): unknown {
  return (keepAliveMs(keepAlive) ?? 0) < MIN_KEEP_ALIVE_MS ? undefined : keepAlive;
}
