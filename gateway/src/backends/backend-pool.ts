import type { Backend, Connect } from "./backend.ts";
import { BackendSet } from "./backend-set.ts";
import type { Config } from "../config/config.ts";
import { ApiError } from "../errors.ts";
import { type LoadPath, preload } from "./preload.ts";
import { type ModelFacts, ModelFactsCache, embedsOnly } from "./model-facts.ts";
import { ModelLoader } from "./model-loader.ts";
import { Placement, whyNot } from "./placement.ts";
import { canonicalModelName } from "../ollama/model-name.ts";
import type { JsonRequestOptions, OllamaClient } from "../ollama/client.ts";
import type { OllamaModel, UnaryRequest } from "../ollama/types.ts";

// A model that is missed is looked for at once; this only notices what nobody asks for.
const POLLS_PER_STOCKTAKING = 5;

// A server that generates on every core may take its time to say what a model is.
const PROBES_FOR_FACTS = 10;

/** The Ollama servers: which of them can run a request, and what they hold together. */
export class BackendPool {
  /** Those there are now. */
  all: readonly Backend[];
  readonly members: BackendSet;
  readonly loader: ModelLoader;
  /** Where requests go. */
  readonly placement: Placement;
  readonly #keptLoaded: readonly string[];
  readonly #required: readonly string[];
  readonly #facts = new ModelFactsCache();
  readonly #factsTimeoutMs: number;
  /** Called when what can be run where may have changed. */
  onChange: () => void = () => undefined;
  readonly #timer: NodeJS.Timeout;
  #looked = false;

  /** @param connect makes the clients that talk to the servers */
  constructor(config: Config, connect?: Connect) {
    const { LLM_SERVICE_HOST_IP: host, LLM_SERVICE_PORT: port, LLM_BACKENDS: several } = config;
    this.members = new BackendSet(config, several.length > 0 ? several : [{ host, port }], connect);
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
      void this.#poll(polls % POLLS_PER_STOCKTAKING === 0);
    }, config.POLL_INTERVAL_MS).unref();
    void (this.members.isDynamic ? this.#discover().then(() => this.refresh()) : this.refresh());
  }

  /** Each of them has been probed at least once, whatever the result. */
  get looked(): boolean {
    return this.#looked;
  }

  /**
   * Probes all of them again: their state and their models. Never rejects.
   *
   * @param model what is looked for: while there are others, a server that is gone and did not hold it is probed, but
   *   not waited for, as it may hang
   */
  async refresh(model?: string): Promise<void> {
    if (this.all.length === 0) await this.#discover();
    const lives = this.all.some((backend) => backend.alive);
    return this.#look((backend) => {
      const asked = Promise.all([backend.stock.refresh(), backend.state.refresh()]);
      const waits = !lives || model === undefined || backend.alive || backend.mayHold(model);
      return waits ? asked : Promise.resolve();
    });
  }

  /** How long the model stays loaded after a request, ms, on the server that keeps it longest, as far as it is known. */
  staysMs(model: string): number {
    if (this.#keptLoaded.some((name) => canonicalModelName(name) === model)) return Infinity;
    return Math.max(...this.all.map((backend) => backend.loaded.staysMs(model)));
  }

  /**
   * Sends a request whose response comes at once and complete to a server that holds the model.
   *
   * @throws ApiError the signal's reason, or what went wrong
   */
  request(question: UnaryRequest, signal: AbortSignal): Promise<unknown> {
    return this.#onAnyOf(question, (client) => client.request(question, signal));
  }

  /** The same, with the response's JSON as it comes. @throws ApiError the signal's reason, or what went wrong */
  requestJson(question: UnaryRequest, options: JsonRequestOptions): Promise<Buffer> {
    return this.#onAnyOf(question, (client) => client.requestJson(question, options));
  }

  /** Has a request made to one server that holds the model, after another until one responds. */
  async #onAnyOf<Result>(
    question: UnaryRequest,
    request: (client: OllamaClient) => Promise<Result>,
  ): Promise<Result> {
    const model = question.model === undefined ? undefined : canonicalModelName(question.model);
    const able = (backend: Backend): boolean => backend.reachable && (!model || backend.holds(model));
    if (!this.all.some(able)) await this.refresh(model);
    const order = this.all
      .filter(able)
      .toSorted(
        (left, right) => Number(right.usable) - Number(left.usable) || left.inFlight - right.inFlight,
      );
    let failure = whyNot(this.all, question.model);
    for (const backend of order) {
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

  /** What is known of a model without a request. @param name as the client wrote it */
  knownFacts(name: string): ModelFacts | undefined {
    const model = canonicalModelName(name);
    const digest = this.#digestOf(model);
    return digest === undefined ? undefined : this.#facts.peek(model, digest);
  }

  /**
   * What Ollama knows of a model, requested when it is not known.
   *
   * @param name as the client wrote it
   * @throws ApiError when the model is missing or no server responds
   */
  async facts(name: string): Promise<ModelFacts> {
    const model = canonicalModelName(name);
    if (this.#digestOf(model) === undefined) await this.refresh(model);
    const digest = this.#digestOf(model);
    if (digest === undefined) throw whyNot(this.all, name);
    return this.#facts.get(model, digest, async () => {
      const overdue = AbortSignal.timeout(this.#factsTimeoutMs);
      try {
        return await this.request(
          { method: "POST", path: "/api/show", model: name, body: { model: name } },
          overdue,
        );
      } catch (cause) {
        throw overdue.aborted ? new ApiError("upstream_unreachable", { cause }) : cause;
      }
    });
  }

  /** The context that a model is loaded with, in tokens, as far as a server said. */
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

  /** The models that are present on any server that answers. @throws ApiError when none does */
  async models(): Promise<readonly OllamaModel[]> {
    const answers = await Promise.allSettled(this.all.map((backend) => backend.client.models()));
    const models = new Map<string, OllamaModel>();
    for (const answer of answers) {
      if (answer.status === "rejected") continue;
      for (const model of answer.value) if (!models.has(model.name)) models.set(model.name, model);
    }
    const failure = answers.find((answer) => answer.status === "rejected");
    if (failure !== undefined && answers.every((answer) => answer.status === "rejected")) {
      throw failure.reason as ApiError;
    }
    return [...models.values()];
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.loader.close();
    await this.members.close();
  }

  /** The required models, in their one spelling, that no server has, as far as is known. */
  missingModels(required: readonly string[]): readonly string[] {
    return required.filter((model) => !this.all.some((backend) => backend.alive && backend.holds(model)));
  }

  /** Looks up which servers there are, and probes those that are new. Never rejects. */
  async #discover(): Promise<void> {
    const before = this.members.all;
    const added = await this.members.refresh();
    if (this.members.all !== before) {
      this.all = this.members.all;
      this.placement.use(this.all);
      const now = new Set(this.all);
      for (const backend of before) if (!now.has(backend)) this.loader.abandon(backend);
    }
    await Promise.all(added.map((backend) => Promise.all([backend.stock.join(), backend.state.join()])));
    if (this.members.all !== before) this.#afterLook();
  }

  #poll(isStocktaking: boolean): Promise<void> {
    // What has to be there is looked for until it is.
    const stocktaking = isStocktaking || this.missingModels(this.#required).length > 0;
    return this.#look(async (backend) => {
      const wasAsked = backend.state.isUnderWay;
      const ask = (): Promise<unknown> =>
        Promise.all([stocktaking || !backend.known ? backend.stock.join() : undefined, backend.state.join()]);
      await ask();
      // An earlier probe may hang on a server that has come back meanwhile.
      if (wasAsked && !backend.alive) await ask();
    });
  }

  async #look(ask: (backend: Backend) => Promise<unknown>): Promise<void> {
    await Promise.all(this.all.map(ask));
    this.#looked = true;
    this.#afterLook();
  }

  #afterLook(): void {
    preload(this.#keptLoaded, this.all, this.loader, this.#loadPathOf, () => {
      this.onChange();
    });
    this.onChange();
  }

  /** Never rejects: a model of which nothing is known is taken for one that generates, as most do. */
  readonly #loadPathOf = (name: string): LoadPath | Promise<LoadPath> => {
    const known = this.knownFacts(name);
    if (known !== undefined) return loadPathOf(known);
    return this.facts(name).then(loadPathOf, () => "/api/generate");
  };
}

function loadPathOf(facts: ModelFacts): LoadPath {
  return embedsOnly(facts) ? "/api/embed" : "/api/generate";
}
