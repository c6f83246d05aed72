import type { Backend, Connect } from "./backend.ts";
import { BackendSet } from "./backend-set.ts";
import type { Config } from "../config/config.ts";
import { ApiError } from "../errors.ts";
import { type LoadPath, preload } from "./preload.ts";
import { type ModelFacts, ModelFactsCache, embedsOnly } from "./model-facts.ts";
import { ModelLoader } from "./model-loader.ts";
import { Placement, unavailableError } from "./placement.ts";
import { canonicalModelName } from "../ollama/model-name.ts";
import type { JsonRequestOptions, OllamaClient } from "../ollama/client.ts";
import type { OllamaModel, UnaryRequest } from "../ollama/types.ts";

// Missing models are looked up on demand, so the list of models is only polled every fifth time.
const POLLS_PER_MODEL_LIST = 5;

// A server that generates on all cores is slow to return model details.
const PROBES_FOR_FACTS = 10;

/** The pool of Ollama servers: which of them can run a request, and which models they hold. */
export class BackendPool {
  /** Current backends. */
  all: readonly Backend[];
  readonly members: BackendSet;
  readonly loader: ModelLoader;
  /** Assigns requests to backends. */
  readonly placement: Placement;
  readonly #keptLoaded: readonly string[];
  readonly #required: readonly string[];
  readonly #facts = new ModelFactsCache();
  readonly #factsTimeoutMs: number;
  /** Called when backends, models or loads may have changed. */
  onChange: () => void = () => undefined;
  readonly #timer: NodeJS.Timeout;
  #probed = false;

  /** @param connect creates the clients of the backends */
  constructor(config: Config, connect?: Connect) {
    const { LLM_SERVICE_HOST_IP: host, LLM_SERVICE_PORT: port, LLM_BACKENDS: configured } = config;
    this.members = new BackendSet(config, configured.length > 0 ? configured : [{ host, port }], connect);
    this.all = this.members.all;
    this.#keptLoaded = config.KEEP_LOADED_MODELS;
    this.#required = config.REQUIRED_MODELS.map(canonicalModelName);
    this.#factsTimeoutMs = config.PROBE_TIMEOUT_MS * PROBES_FOR_FACTS;
    this.loader = new ModelLoader(config.LOAD_TIMEOUT_MS, new Set(this.#keptLoaded.map(canonicalModelName)));
    this.placement = new Placement(this.members, this.loader, () => {
      this.onChange();
    });
    let polls = 0;
    this.#timer = setInterval(() => {
      polls += 1;
      if (this.members.isDynamic) void this.#discover();
      void this.#poll(polls % POLLS_PER_MODEL_LIST === 0);
    }, config.POLL_INTERVAL_MS).unref();
    void (this.members.isDynamic ? this.#discover().then(() => this.refresh()) : this.refresh());
  }

  /** Whether all backends have been probed at least once, successfully or not. */
  get probed(): boolean {
    return this.#probed;
  }

  /**
   * Probes all backends for their state and models. Never rejects.
   *
   * @param model the model to look for. While some backend is alive, probes of dead backends that did not hold the
   *   model are not awaited, as they may hang
   */
  async refresh(model?: string): Promise<void> {
    if (this.all.length === 0) await this.#discover();
    const anyAlive = this.all.some((backend) => backend.alive);
    return this.#probeAll((backend) => {
      const probing = Promise.all([backend.modelList.refresh(), backend.state.refresh()]);
      const awaited = !anyAlive || model === undefined || backend.alive || backend.mayHave(model);
      return awaited ? probing : Promise.resolve();
    });
  }

  /** How long the model stays loaded after a request, in milliseconds, on the backend that keeps it longest. */
  staysMs(model: string): number {
    if (this.#keptLoaded.some((name) => canonicalModelName(name) === model)) return Infinity;
    return Math.max(...this.all.map((backend) => backend.loaded.staysMs(model)));
  }

  /**
   * Sends a request with a buffered JSON response to a backend that holds the model.
   *
   * @throws ApiError the signal's reason, or the failure
   */
  request(call: UnaryRequest, signal: AbortSignal): Promise<unknown> {
    return this.#onAnyBackend(call, (client) => client.request(call, signal));
  }

  /**
   * Like `request`, but returns the raw JSON.
   *
   * @throws ApiError the signal's reason, or the failure
   */
  requestJson(call: UnaryRequest, options: JsonRequestOptions): Promise<Buffer> {
    return this.#onAnyBackend(call, (client) => client.requestJson(call, options));
  }

  /** Tries the backends that hold the model, least busy first, until one responds. */
  async #onAnyBackend<Result>(
    call: UnaryRequest,
    request: (client: OllamaClient) => Promise<Result>,
  ): Promise<Result> {
    const model = call.model === undefined ? undefined : canonicalModelName(call.model);
    const canServe = (backend: Backend): boolean => backend.reachable && (!model || backend.holds(model));
    if (!this.all.some(canServe)) await this.refresh(model);
    const candidates = this.all
      .filter(canServe)
      .toSorted(
        (left, right) => Number(right.usable) - Number(left.usable) || left.inFlight - right.inFlight,
      );
    let failure = unavailableError(this.all, call.model);
    for (const backend of candidates) {
      try {
        return await request(backend.client);
      } catch (thrown) {
        failure = thrown as ApiError;
        if (failure.code === "upstream_unreachable") backend.failed(failure, model ?? "", undefined);
        if (!failure.retryable) throw failure;
      }
    }
    throw failure;
  }

  /**
   * Returns the cached facts of a model.
   *
   * @param name as sent by the client
   */
  knownFacts(name: string): ModelFacts | undefined {
    const model = canonicalModelName(name);
    const digest = this.#digestOf(model);
    return digest === undefined ? undefined : this.#facts.peek(model, digest);
  }

  /**
   * Returns the facts of a model, from Ollama if they are not cached.
   *
   * @param name as sent by the client
   * @throws ApiError if the model is missing or no backend responds
   */
  async facts(name: string): Promise<ModelFacts> {
    const model = canonicalModelName(name);
    if (this.#digestOf(model) === undefined) await this.refresh(model);
    const digest = this.#digestOf(model);
    if (digest === undefined) throw unavailableError(this.all, name);
    return this.#facts.get(model, digest, async () => {
      const timeout = AbortSignal.timeout(this.#factsTimeoutMs);
      try {
        return await this.request(
          { method: "POST", path: "/api/show", model: name, body: { model: name } },
          timeout,
        );
      } catch (cause) {
        throw timeout.aborted ? new ApiError("upstream_unreachable", { cause }) : cause;
      }
    });
  }

  /** The context length that the model is loaded with, in tokens; undefined if unknown. */
  loadedContextOf(name: string): number | undefined {
    const model = canonicalModelName(name);
    for (const { loaded } of this.all) {
      const context = loaded.loadedContextOf(model);
      if (context !== undefined) return context;
    }
    return undefined;
  }

  #digestOf(model: string): string | undefined {
    return this.all.find((backend) => backend.reachable && backend.holds(model))?.digestOf(model);
  }

  /**
   * Lists the models of all backends that respond.
   *
   * @throws ApiError if no backend responds
   */
  async models(): Promise<readonly OllamaModel[]> {
    const results = await Promise.allSettled(this.all.map((backend) => backend.client.models()));
    const models = new Map<string, OllamaModel>();
    for (const result of results) {
      if (result.status === "rejected") continue;
      for (const model of result.value) if (!models.has(model.name)) models.set(model.name, model);
    }
    const failure = results.find((result) => result.status === "rejected");
    if (failure !== undefined && results.every((result) => result.status === "rejected")) {
      throw failure.reason as ApiError;
    }
    return [...models.values()];
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.loader.close();
    await this.members.close();
  }

  /**
   * Returns the required models that no live backend has.
   *
   * @param required canonical names
   */
  missingModels(required: readonly string[]): readonly string[] {
    return required.filter((model) => !this.all.some((backend) => backend.alive && backend.holds(model)));
  }

  /** Resolves the discovered names and probes new backends. Never rejects. */
  async #discover(): Promise<void> {
    const before = this.members.all;
    const added = await this.members.refresh();
    if (this.members.all !== before) {
      this.all = this.members.all;
      this.placement.setBackends(this.all);
      const now = new Set(this.all);
      for (const backend of before) if (!now.has(backend)) this.loader.abandon(backend);
    }
    await Promise.all(added.map((backend) => Promise.all([backend.modelList.join(), backend.state.join()])));
    if (this.members.all !== before) this.#afterProbe();
  }

  #poll(listModels: boolean): Promise<void> {
    // Keep looking for required models until they are present.
    const listing = listModels || this.missingModels(this.#required).length > 0;
    return this.#probeAll(async (backend) => {
      const joined = backend.state.isRunning;
      const probe = (): Promise<unknown> =>
        Promise.all([
          listing || !backend.hasModelList ? backend.modelList.join() : undefined,
          backend.state.join(),
        ]);
      await probe();
      // The probe joined above may have started before the backend came back.
      if (joined && !backend.alive) await probe();
    });
  }

  async #probeAll(probe: (backend: Backend) => Promise<unknown>): Promise<void> {
    await Promise.all(this.all.map(probe));
    this.#probed = true;
    this.#afterProbe();
  }

  #afterProbe(): void {
    preload(this.#keptLoaded, this.all, this.loader, this.#loadPathOf, () => {
      this.onChange();
    });
    this.onChange();
  }

  /** Never rejects: defaults to generation if the facts are unknown. */
  readonly #loadPathOf = (name: string): Promise<LoadPath> =>
    this.facts(name).then(
      (facts) => (embedsOnly(facts) ? "/api/embed" : "/api/generate"),
      () => "/api/generate",
    );
}
