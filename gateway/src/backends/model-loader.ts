import type { Backend } from "./backend.ts";
import { ApiError, toApiError } from "../errors.ts";
import type { ModelRequirement, RunnerRequirement } from "./loaded-models.ts";
import { keepAliveMs } from "../ollama/keep-alive.ts";

export interface LoadOutcome {
  readonly backend: Backend;
  readonly requirement: RunnerRequirement;
  readonly model: string;
  readonly milliseconds: number;
  readonly error: ApiError | undefined;
}

/** A load that has not ended. */
export interface LoadUnderWay {
  readonly backend: Backend;
  readonly model: string;
  readonly controller: AbortController;
}

// What Ollama takes for "until it is stopped".
const FOR_GOOD = -1;

// A server that could not load a model is not tried again this soon to relieve another one.
const FAILURE_COUNTS_MS = 10_000;

const SHORTEST_KEPT_MS = 60_000;

/**
 * Loads models on the gateway's own account, one request to Ollama for all that need the same model. Ollama gives a
 * load up when the client that requested it leaves; here nobody can leave.
 */
export class ModelLoader {
  /** Called when a load has ended. */
  onEnd: (outcome: LoadOutcome) => void = () => undefined;
  readonly #timeoutMs: number;
  readonly #keptLoaded: ReadonlySet<string>;
  /** By server and requirement. */
  readonly #underWay = new Map<string, LoadUnderWay>();
  /** On how many servers, by requirement. */
  readonly #places = new Map<string, number>();
  readonly #failures = new Map<string, number>();

  /** @param keptLoaded models, in their one spelling, that stay unless a request says how long */
  constructor(timeoutMs: number, keptLoaded: ReadonlySet<string>) {
    this.#timeoutMs = timeoutMs;
    this.#keptLoaded = keptLoaded;
  }

  /** The loads that are under way. */
  get underWay(): readonly LoadUnderWay[] {
    return [...this.#underWay.values()];
  }

  get count(): number {
    return this.#underWay.size;
  }

  /** Whether the model is being loaded on any server. */
  isLoading(requirement: RunnerRequirement): boolean {
    return this.#places.has(keyOf(requirement));
  }

  isLoadingOn(backend: Backend, requirement: RunnerRequirement): boolean {
    return this.#underWay.has(placeOf(backend, keyOf(requirement)));
  }

  failedLately(backend: Backend, requirement: RunnerRequirement): boolean {
    const failedAt = this.#failures.get(placeOf(backend, keyOf(requirement)));
    return failedAt !== undefined && performance.now() - failedAt < FAILURE_COUNTS_MS;
  }

  /** Begins a load that is not under way on this server. Never rejects: `onEnd` gets the outcome. */
  async begin(backend: Backend, asked: ModelRequirement): Promise<void> {
    const forGood = asked.keepAlive === undefined && this.#keptLoaded.has(asked.model);
    const requirement = forGood ? { ...asked, keepAlive: FOR_GOOD } : asked;
    const key = keyOf(requirement);
    const place = placeOf(backend, key);
    const startedAt = performance.now();
    const controller = new AbortController();
    this.#underWay.set(place, { backend, model: requirement.model, controller });
    this.#places.set(key, (this.#places.get(key) ?? 0) + 1);
    const timer = setTimeout(() => {
      controller.abort(new ApiError("load_timeout"));
    }, this.#timeoutMs);
    let error: ApiError | undefined;
    try {
      await backend.client.request(questionOf(requirement), controller.signal);
      // What had to make room is gone now.
      await backend.state.refresh();
      backend.loaded.confirm(requirement, keepAliveMs(keptFor(requirement)));
      this.#failures.delete(place);
    } catch (thrown) {
      error = toApiError(thrown);
      // What a client makes of the context says nothing of the server.
      const source = requirement.context === undefined ? `load of ${requirement.model}` : undefined;
      backend.failed(error, requirement.model, source);
      this.#noteFailure(place);
    } finally {
      clearTimeout(timer);
      this.#underWay.delete(place);
      const others = (this.#places.get(key) ?? 1) - 1;
      if (others > 0) this.#places.set(key, others);
      else this.#places.delete(key);
    }
    const milliseconds = performance.now() - startedAt;
    this.onEnd({ backend, requirement, model: requirement.model, milliseconds, error });
  }

  /** A server is gone: whoever waits for a load there is served elsewhere. */
  abandon(gone: Backend): void {
    for (const { backend, controller } of this.#underWay.values()) {
      if (backend === gone) controller.abort(new ApiError("upstream_unreachable"));
    }
  }

  close(): void {
    for (const { controller } of this.#underWay.values()) controller.abort(new ApiError("shutting_down"));
  }

  /** Those that count no longer go, oldest first: clients choose what is in a key, and servers come and go. */
  #noteFailure(key: string): void {
    const now = performance.now();
    this.#failures.delete(key);
    this.#failures.set(key, now);
    for (const [each, failedAt] of this.#failures) {
      if (now - failedAt < FAILURE_COUNTS_MS) break;
      this.#failures.delete(each);
    }
  }
}

function keyOf({ model, context, runner }: RunnerRequirement): string {
  return `${model} ${context ?? ""} ${runner}`;
}

function placeOf({ name }: Backend, key: string): string {
  return `${name} ${key}`;
}

/** Ollama's way to load and do nothing else: a request of the same kind without anything in it. */
function questionOf(requirement: ModelRequirement): {
  method: "POST";
  path: string;
  model: string;
  body: object;
} {
  const { name, options: runnerOptions, path } = requirement;
  const nothing = path === "/api/chat" ? { messages: [] } : path === "/api/embed" ? { input: [] } : {};
  const options = runnerOptions === undefined ? {} : { options: runnerOptions };
  const keepAlive = keptFor(requirement);
  const keep = keepAlive === undefined ? {} : { keep_alive: keepAlive };
  return {
    method: "POST",
    path,
    model: name,
    body: { model: name, stream: false, ...nothing, ...keep, ...options },
  };
}

/** The request itself asks to keep its model for a moment only; here that could unload it before the request comes. */
function keptFor({ keepAlive }: ModelRequirement): unknown {
  return (keepAliveMs(keepAlive) ?? 0) < SHORTEST_KEPT_MS ? undefined : keepAlive;
}
