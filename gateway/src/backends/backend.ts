import type { BackendAddress } from "../ollama/address.ts";
import { Breaker } from "../lib/circuit-breaker.ts";
import type { Config } from "../config/config.ts";
import { ApiError, type ErrorCode } from "../errors.ts";
import { HostResolver } from "../lib/network/host-resolver.ts";
import { haveSameKeys, LoadedModels, type ModelRequirement } from "./loaded-models.ts";
import { OllamaClient, type OllamaTimeouts } from "../ollama/client.ts";
import { keepAliveMs } from "../ollama/keep-alive.ts";
import { PeerLostError } from "../lib/network/peer-watch.ts";
import { canonicalModelName } from "../ollama/model-name.ts";
import type { OllamaModel, OllamaRunning } from "../ollama/types.ts";
import { type Outcome, SingleFlight } from "../lib/single-flight.ts";
import { type ThinkSupport, ThinkSupportCache } from "./think-support.ts";

/** Makes the client that talks to a server. */
export type Connect = (config: Config, address: BackendAddress) => OllamaClient;

const connectOverHttp: Connect = (config, address) => new OllamaClient(timeoutsOf(config), address);

// Probes in a row that come late before a server counts as gone.
const OVERDUE_LIMIT = 2;

const GIVEN_UP: ReadonlySet<ErrorCode> = new Set(["client_left", "client_stalled", "request_cancelled"]);

/** One Ollama server: where it is, what it holds and has loaded, whether it lives, how busy the gateway keeps it. */
export class Backend {
  readonly name: string;
  /** How many requests it runs at once. */
  readonly slots: number;
  readonly client: OllamaClient;
  readonly breaker: Breaker;
  readonly loaded = new LoadedModels();
  /** Whether it lives and what it has loaded. */
  readonly state = new SingleFlight(() => this.#poll());
  /** What it holds; when it does not say, what it said before counts. */
  readonly stock = new SingleFlight(() => this.#takeStock());
  /** Requests of the gateway that it is running. */
  inFlight = 0;
  /** How many of its slots this gateway may have at once, where it shares them with other gateways. */
  allowance = Infinity;
  /** Requests of those that it is running, as it was known last. */
  elsewhere = 0;
  /** What it said last of the models that it holds and has loaded. */
  installed: readonly OllamaModel[] = [];
  running: readonly OllamaRunning[] = [];
  /** How far its clock is ahead of this machine's, ms, as it said last. */
  clockAheadMs = 0;
  /** How long it took to respond to its last probe, ms; undefined: it did not. */
  probeMs: number | undefined;
  /** It has had a model on a GPU since this process began. */
  hasGpu = false;
  /** Called when it holds other models than before. */
  onStockChange: () => void = () => undefined;
  readonly #followed: HostResolver;
  readonly #thinkSupport = new ThinkSupportCache();
  /** The digests of what is present, by model. */
  #present = new Map<string, string>();
  #alive = false;
  #known = false;
  #overdue = 0;
  #wasProbed = false;
  #hasLived = false;
  #spared: NodeJS.Timeout | undefined;

  /** @param connect makes the client that talks to it */
  constructor(config: Config, address: BackendAddress, connect: Connect = connectOverHttp) {
    this.#followed = new HostResolver(address.host, config.PROBE_TIMEOUT_MS);
    this.name = `${address.host}:${address.port}`;
    this.slots = address.slots ?? config.OLLAMA_NUM_PARALLEL;
    this.client = connect(config, address);
    this.breaker = new Breaker(config.BREAKER_FAILURES, config.BREAKER_OPEN_MS);
  }

  /** It responded to its last probe and is not cordoned. */
  get reachable(): boolean {
    return this.#alive && this.#spared === undefined;
  }

  /** It is reachable, and its breaker lets requests through. */
  get usable(): boolean {
    return this.reachable && this.breaker.allows;
  }

  /** Nothing is sent to it until it may come back, or so many ms have gone by. */
  cordon(ms: number): void {
    clearTimeout(this.#spared);
    this.#spared = setTimeout(() => {
      this.#spared = undefined;
    }, ms).unref();
  }

  uncordon(): void {
    clearTimeout(this.#spared);
    this.#spared = undefined;
  }

  get isCordoned(): boolean {
    return this.#spared !== undefined;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** It has responded to a probe or let one time out. */
  get wasProbed(): boolean {
    return this.#wasProbed;
  }

  /** It has ever responded to a probe. */
  get hasLived(): boolean {
    return this.#hasLived;
  }

  /** What it holds has been learned at least once. */
  get known(): boolean {
    return this.#known;
  }

  get hasFreeSlot(): boolean {
    return this.inFlight < this.slots && this.inFlight < this.allowance;
  }

  /** How busy it is: 0 to 1. */
  get load(): number {
    return (this.inFlight + this.elsewhere) / this.slots;
  }

  /** The models that are present. */
  get held(): Iterable<string> {
    return this.#present.keys();
  }

  holds(model: string): boolean {
    return this.#present.has(model);
  }

  /** What the model's name means on it; undefined: it does not hold it. */
  digestOf(model: string): string | undefined {
    return this.#present.get(model);
  }

  /** It may hold the model, for all that is known. */
  mayHold(model: string): boolean {
    return !this.#known || this.holds(model);
  }

  /** How far a model's thinking can be steered, if the server has refused more. */
  thinkSupport(model: string): ThinkSupport | undefined {
    return this.#thinkSupport.get(model, this.#present.get(model));
  }

  learnThinkSupport(model: string, support: ThinkSupport): void {
    this.#thinkSupport.set(model, this.#present.get(model), support);
  }

  /**
   * A request to it failed.
   *
   * @param source who sent it, for the breaker; undefined: the request is no evidence against the server
   */
  failed(error: ApiError, model: string, source: string | undefined): void {
    if (error.code === "model_not_found" && this.#present.delete(model)) this.onStockChange();
    if (error.code === "upstream_unreachable" || error.cause instanceof PeerLostError) this.#alive = false;
    else if (isBroken(error)) {
      if (source !== undefined) this.breaker.fail(source);
      // It may be gone, which the next request should know.
      void this.state.join();
    }
    // A request that was given up too early has learned nothing of the server.
    else if (!GIVEN_UP.has(error.code)) this.breaker.succeed();
  }

  /** A request to it was answered in full. */
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
      await Promise.all([this.#followName(), this.client.version()]);
      this.probeMs = performance.now() - startedAt;
      this.#alive = true;
      this.#hasLived = true;
      this.#overdue = 0;
    } catch (error) {
      outcome = outcomeOf(error);
      this.probeMs = undefined;
      // A machine whose every core generates may be late once.
      this.#overdue += outcome === "timeout" ? 1 : OVERDUE_LIMIT;
      if (this.#overdue >= OVERDUE_LIMIT) this.#alive = false;
    }
    this.#wasProbed = true;
    await loaded;
    return outcome;
  }

  async #takeStock(): Promise<Outcome> {
    try {
      const models = await this.client.models();
      this.installed = models;
      const before = this.#present;
      this.#present = new Map(models.map(({ name, digest }) => [canonicalModelName(name), digest]));
      this.#known = true;
      if (!haveSameKeys(before, this.#present)) this.onStockChange();
      return "settled";
    } catch (error) {
      // Whether it lives is for `state` to say.
      return outcomeOf(error);
    }
  }

  /** The former version of a model that was made again stays loaded beside it for a while; it gets no more requests. */
  #isCurrent({ name, digest }: OllamaRunning): boolean {
    const present = this.#present.get(canonicalModelName(name));
    return digest === undefined || present === undefined || digest === present;
  }

  async #followName(): Promise<void> {
    if (await this.#followed.hasChanged()) this.client.reconnect();
  }
}

function outcomeOf(error: unknown): Outcome {
  const cause = error instanceof ApiError ? (error.cause as Error | undefined) : undefined;
  return cause?.name === "TimeoutError" ? "timeout" : "settled";
}

/** The connection broke: the server may be failing although it responds to probes. */
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
