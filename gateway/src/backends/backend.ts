import type { BackendAddress } from "../ollama/address.ts";
import { Breaker } from "../lib/circuit-breaker.ts";
import type { Config } from "../config/config.ts";
import { ApiError, type ErrorCode } from "../errors.ts";
import { HostResolver } from "../lib/network/host-resolver.ts";
import { DigestCache } from "./digest-cache.ts";
import { haveSameKeys, LoadedModels, type ModelRequirement } from "./loaded-models.ts";
import { OllamaClient, type OllamaTimeouts } from "../ollama/client.ts";
import { keepAliveMs } from "../ollama/keep-alive.ts";
import { PeerLostError } from "../lib/network/peer-watch.ts";
import { canonicalModelName } from "../ollama/model-name.ts";
import type { OllamaModel, OllamaRunning } from "../ollama/types.ts";
import { type Outcome, SingleFlight } from "../lib/single-flight.ts";

/** Creates the client of a backend. */
export type Connect = (config: Config, address: BackendAddress) => OllamaClient;

const connectOverHttp: Connect = (config, address) => new OllamaClient(timeoutsOf(config), address);

/** Supported control of thinking: none, or on and off. Undefined while no level has been rejected. */
export type ThinkSupport = "none" | "switch";

// Number of consecutive probe timeouts after which a backend counts as down.
const TIMEOUT_LIMIT = 2;

// Errors that do not prove that the backend has responded.
const WITHOUT_RESPONSE: ReadonlySet<ErrorCode> = new Set([
  "client_left",
  "client_stalled",
  "request_cancelled",
  "shutting_down",
  "load_timeout",
  "first_token_timeout",
  "answer_timeout",
  "internal_error",
]);

/** One Ollama server: its models, health and load. */
export class Backend {
  readonly name: string;
  /** Number of concurrent requests. */
  readonly slots: number;
  readonly client: OllamaClient;
  readonly breaker: Breaker;
  readonly loaded = new LoadedModels();
  /** Probes its health and loaded models. */
  readonly state = new SingleFlight(() => this.#poll());
  /** Lists its models. After a failure the previous list stays. */
  readonly modelList = new SingleFlight(() => this.#listModels());
  /** Number of this gateway's requests running on it. */
  inFlight = 0;
  /** Number of slots that this gateway may use, if it shares them with other gateways. */
  allowance = Infinity;
  /** Number of other gateways' requests on it, as last reported. */
  usedElsewhere = 0;
  /** Installed models, as of the last successful list. */
  installed: readonly OllamaModel[] = [];
  running: readonly OllamaRunning[] = [];
  /** Offset of its clock to the local one, in milliseconds. */
  clockAheadMs = 0;
  /** Duration of the last probe in milliseconds; undefined if it failed. */
  probeMs: number | undefined;
  /** Whether it has had a model on a GPU since this process started. */
  hasGpu = false;
  /** Called when its set of installed models changes. */
  onModelsChange: () => void = () => undefined;
  readonly #resolver: HostResolver;
  /** What kind of thinking it has rejected, by model. */
  readonly #thinkSupport = new DigestCache<ThinkSupport>();
  /** Digests of the installed models, by canonical name. */
  #digests = new Map<string, string>();
  #alive = false;
  #hasModelList = false;
  #timeouts = 0;
  #wasProbed = false;
  #everResponded = false;
  #cordonTimer: NodeJS.Timeout | undefined;

  /** @param connect creates its client */
  constructor(config: Config, address: BackendAddress, connect: Connect = connectOverHttp) {
    this.#resolver = new HostResolver(address.host, config.PROBE_TIMEOUT_MS);
    this.name = `${address.host}:${address.port}`;
    this.slots = address.slots ?? config.OLLAMA_NUM_PARALLEL;
    this.client = connect(config, address);
    this.breaker = new Breaker(config.BREAKER_FAILURES, config.BREAKER_OPEN_MS);
  }

  /** Whether the last probe succeeded and the backend is not cordoned. */
  get reachable(): boolean {
    return this.#alive && this.#cordonTimer === undefined;
  }

  /** Whether it is reachable and its circuit breaker allows requests. */
  get usable(): boolean {
    return this.reachable && this.breaker.allows;
  }

  /** Stops sending requests to it for `ms` milliseconds, or until `uncordon`. */
  cordon(ms: number): void {
    clearTimeout(this.#cordonTimer);
    this.#cordonTimer = setTimeout(() => {
      this.#cordonTimer = undefined;
    }, ms).unref();
  }

  uncordon(): void {
    clearTimeout(this.#cordonTimer);
    this.#cordonTimer = undefined;
  }

  get isCordoned(): boolean {
    return this.#cordonTimer !== undefined;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Whether the first probe has ended, successfully or not. */
  get wasProbed(): boolean {
    return this.#wasProbed;
  }

  /** Whether it has ever responded to a probe. */
  get everResponded(): boolean {
    return this.#everResponded;
  }

  /** Whether its models have been listed at least once. */
  get hasModelList(): boolean {
    return this.#hasModelList;
  }

  get hasFreeSlot(): boolean {
    return this.inFlight < this.slots && this.inFlight < this.allowance;
  }

  /** Utilization, from 0 to 1. */
  get load(): number {
    return (this.inFlight + this.usedElsewhere) / this.slots;
  }

  /** Canonical names of the installed models. */
  get installedNames(): Iterable<string> {
    return this.#digests.keys();
  }

  holds(model: string): boolean {
    return this.#digests.has(model);
  }

  /** Digest of the model; undefined if it is not installed. */
  digestOf(model: string): string | undefined {
    return this.#digests.get(model);
  }

  /** Whether it has the model or its models are unknown. */
  mayHave(model: string): boolean {
    return !this.#hasModelList || this.holds(model);
  }

  /** The thinking support learned from rejected requests. */
  thinkSupport(model: string): ThinkSupport | undefined {
    return this.#thinkSupport.get(model, this.#digests.get(model));
  }

  learnThinkSupport(model: string, support: ThinkSupport): void {
    this.#thinkSupport.set(model, this.#digests.get(model), support);
  }

  /**
   * Records a failed request.
   *
   * @param source the sender, for the circuit breaker; undefined if the failure does not concern the backend
   */
  failed(error: ApiError, model: string, source: string | undefined): void {
    if (error.code === "model_not_found" && this.#digests.delete(model)) this.onModelsChange();
    if (error.code === "upstream_unreachable" || error.cause instanceof PeerLostError) this.#alive = false;
    else if (isBroken(error)) {
      if (source !== undefined) this.breaker.fail(source);
      // Probe it now, so that the next request knows whether it is down.
      void this.state.join();
    }
    // An aborted request or a timeout does not reflect the backend's health.
    else if (!WITHOUT_RESPONSE.has(error.code)) this.breaker.succeed();
  }

  /** Records a completed request. */
  succeeded(requirement: ModelRequirement): void {
    this.breaker.succeed();
    this.loaded.confirm(
      requirement,
      keepAliveMs(requirement.keepAlive) ?? this.loaded.keptMs(requirement.model),
    );
  }

  async #poll(): Promise<Outcome> {
    let outcome: Outcome = "settled";
    const loaded = this.client.running().then(
      ({ models, now }) => {
        const current = models.filter((each) => this.#isCurrent(each));
        this.loaded.replace(current, now);
        this.running = current;
        this.clockAheadMs = now - Date.now();
        this.hasGpu ||= current.some(({ size_vram: bytes = 0 }) => bytes > 0);
      },
      () => undefined,
    );
    const startedAt = performance.now();
    try {
      await Promise.all([this.#reconnectIfMoved(), this.client.version()]);
      this.probeMs = performance.now() - startedAt;
      this.#alive = true;
      this.#everResponded = true;
      this.#timeouts = 0;
    } catch (error) {
      outcome = outcomeOf(error);
      this.probeMs = undefined;
      // A single timeout is normal when generation uses all cores.
      this.#timeouts += outcome === "timeout" ? 1 : TIMEOUT_LIMIT;
      if (this.#timeouts >= TIMEOUT_LIMIT) this.#alive = false;
    }
    this.#wasProbed = true;
    await loaded;
    return outcome;
  }

  async #listModels(): Promise<Outcome> {
    try {
      const models = await this.client.models();
      this.installed = models;
      const before = this.#digests;
      this.#digests = new Map(models.map(({ name, digest }) => [canonicalModelName(name), digest]));
      this.#hasModelList = true;
      if (!haveSameKeys(before, this.#digests)) this.onModelsChange();
      return "settled";
    } catch (error) {
      // `state` decides whether the backend is alive.
      return outcomeOf(error);
    }
  }

  /** Ollama keeps the old version of a rebuilt model loaded for a while, but no longer uses it. */
  #isCurrent({ name, digest }: OllamaRunning): boolean {
    const present = this.#digests.get(canonicalModelName(name));
    return digest === undefined || present === undefined || digest === present;
  }

  async #reconnectIfMoved(): Promise<void> {
    // If the name cannot be resolved, the open connections may still work. The probe decides.
    if (await this.#resolver.hasChanged().catch(() => false)) this.client.reconnect();
  }
}

function outcomeOf(error: unknown): Outcome {
  const cause = error instanceof ApiError ? (error.cause as Error | undefined) : undefined;
  return cause?.name === "TimeoutError" ? "timeout" : "settled";
}

/** A broken connection may mean a failing backend even if its probes succeed. */
function isBroken(error: ApiError): boolean {
  return error.connectionBroke || error.code === "upstream_incomplete";
}

function timeoutsOf(config: Config): OllamaTimeouts {
  return {
    connectMs: config.CONNECT_TIMEOUT_MS,
    probeMs: config.PROBE_TIMEOUT_MS,
    responseMs: config.ANSWER_TIMEOUT_MS,
    firstTokenMs: config.FIRST_TOKEN_TIMEOUT_MS,
    idleMs: config.IDLE_TIMEOUT_MS,
  };
}
