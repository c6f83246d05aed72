import { ApiError } from "../../gateway/src/errors.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** A generation request. */
export interface Job {
  readonly model: string;
  readonly conversation: number;
  /** Tokens of the prompt, including the conversation's previous turns. */
  readonly promptTokens: number;
  /** Tokens of the prompt without the previous turns. */
  readonly newTokens: number;
  readonly outputTokens: number;
  onFirstToken(): void;
}

export interface ServerSpeed {
  readonly promptTokensPerSecond: number;
  readonly outputTokensPerSecond: number;
  /** Load time of a model of average size. */
  readonly loadMs: number;
}

export interface FleetCounts {
  loads: number;
  prompts: number;
  cachedPrompts: number;
}

interface Loaded {
  active: number;
  usedAt: number;
  /** The conversations whose prompts are in the slots' caches, the oldest first. */
  readonly cached: number[];
}

interface Waiting {
  readonly job: Job;
  readonly resolve: () => void;
  readonly reject: (error: ApiError) => void;
}

// How much each concurrent request slows down all of them, because they share memory bandwidth.
const SHARED_SLOWDOWN = 0.15;

/** A server that behaves like Ollama, in virtual time: slots, loaded models, a prompt cache per slot, a queue. */
export class SimulatedServer {
  alive = true;
  /** Number of requests that run or wait. */
  connections = 0;
  readonly loaded = new Map<string, Loaded>();
  readonly #clock: VirtualClock;
  readonly #speed: ServerSpeed;
  readonly #slots: number;
  readonly #maxModels: number;
  readonly #counts: FleetCounts;
  readonly #loads = new Map<string, Promise<void>>();
  #queue: Waiting[] = [];
  #active = 0;
  #generation = 0;
  #failures = new Set<(error: ApiError) => void>();

  constructor(
    clock: VirtualClock,
    speed: ServerSpeed,
    slots: number,
    maxModels: number,
    counts: FleetCounts,
  ) {
    this.#clock = clock;
    this.#speed = speed;
    this.#slots = slots;
    this.#maxModels = maxModels;
    this.#counts = counts;
  }

  /** Aborts all requests and loses all models. */
  fail(): void {
    this.alive = false;
    this.#generation += 1;
    const error = new ApiError("upstream_incomplete", { connectionBroke: true });
    for (const reject of this.#failures) reject(error);
    for (const { reject } of this.#queue) reject(error);
    this.#failures = new Set();
    this.#queue = [];
    this.#active = 0;
    this.connections = 0;
    this.loaded.clear();
    this.#loads.clear();
  }

  recover(): void {
    this.alive = true;
  }

  /** @throws ApiError if the server fails before the end */
  async generate(job: Job): Promise<void> {
    if (!this.alive) throw new ApiError("upstream_unreachable", { retryable: true });
    const generation = this.#generation;
    this.connections += 1;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#queue.push({ job, resolve, reject });
        this.#schedule();
      });
    } finally {
      if (generation === this.#generation) this.connections -= 1;
    }
  }

  /** Loads a model, once for all requests; evicts idle models if there is no room. */
  load(model: string): Promise<void> {
    if (!this.alive) return Promise.reject(new ApiError("upstream_unreachable", { retryable: true }));
    if (this.loaded.has(model)) return Promise.resolve();
    const generation = this.#generation;
    const loading =
      this.#loads.get(model) ??
      this.#wait(this.#speed.loadMs).then(() => {
        if (generation !== this.#generation) throw new ApiError("upstream_unreachable", { retryable: true });
        this.#loads.delete(model);
        this.#evictIdle();
        this.loaded.set(model, { active: 0, usedAt: this.#clock.now, cached: [] });
        this.#counts.loads += 1;
        this.#schedule();
      });
    this.#loads.set(model, loading);
    return loading;
  }

  #evictIdle(): void {
    const idle = [...this.loaded].filter(([, { active }]) => active === 0);
    idle.sort(([, left], [, right]) => left.usedAt - right.usedAt);
    for (const [model] of idle) {
      if (this.loaded.size < this.#maxModels) return;
      this.loaded.delete(model);
    }
  }

  /** Runs waiting requests in order, and loads the model of the first one if it is missing. */
  #schedule(): void {
    while (this.#active < this.#slots) {
      const at = this.#queue.findIndex(({ job }) => this.loaded.has(job.model));
      const [first] = this.#queue;
      if (first !== undefined && !this.loaded.has(first.job.model))
        void this.load(first.job.model).catch(() => undefined);
      if (at === -1) return;
      const [next] = this.#queue.splice(at, 1);
      if (next !== undefined) this.#run(next);
    }
  }

  #run({ job, resolve, reject }: Waiting): void {
    const loaded = this.loaded.get(job.model);
    if (loaded === undefined) return;
    const generation = this.#generation;
    this.#active += 1;
    loaded.active += 1;
    loaded.usedAt = this.#clock.now;
    this.#failures.add(reject);
    const cachedAt = loaded.cached.indexOf(job.conversation);
    const isCached = cachedAt !== -1;
    this.#counts.prompts += 1;
    if (isCached) {
      this.#counts.cachedPrompts += 1;
      loaded.cached.splice(cachedAt, 1);
    } else if (loaded.cached.length >= this.#slots) loaded.cached.shift();
    loaded.cached.push(job.conversation);
    const slowdown = 1 + SHARED_SLOWDOWN * (this.#active - 1);
    const { promptTokensPerSecond, outputTokensPerSecond } = this.#speed;
    const promptMs =
      ((isCached ? job.newTokens : job.promptTokens) / promptTokensPerSecond) * 1000 * slowdown;
    const outputMs = (job.outputTokens / outputTokensPerSecond) * 1000 * slowdown;
    this.#clock.after(promptMs, () => {
      if (generation === this.#generation) job.onFirstToken();
    });
    this.#clock.after(promptMs + outputMs, () => {
      if (generation !== this.#generation) return;
      this.#failures.delete(reject);
      this.#active -= 1;
      loaded.active -= 1;
      loaded.usedAt = this.#clock.now;
      resolve();
      this.#schedule();
    });
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(ms, resolve);
    });
  }
}
