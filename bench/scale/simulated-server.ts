import { ApiError } from "../../gateway/src/errors.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** What is generated. */
export interface Job {
  readonly model: string;
  readonly conversation: number;
  /** Tokens of the prompt, those that its conversation had before included. */
  readonly promptTokens: number;
  /** Tokens of the prompt that its conversation did not have before. */
  readonly newTokens: number;
  readonly outputTokens: number;
  onFirstToken(): void;
}

export interface ServerSpeed {
  readonly promptTokensPerSecond: number;
  readonly outputTokensPerSecond: number;
  /** Of a model of average size. */
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
  /** The conversations whose prompts its slots still have, the oldest first. */
  readonly cached: number[];
}

interface Waiting {
  readonly job: Job;
  readonly resolve: () => void;
  readonly reject: (error: ApiError) => void;
}

// Each request beside another makes all of them slower by so much, as they share memory bandwidth.
const SHARED_SLOWDOWN = 0.15;

/** A server that behaves as Ollama does, in virtual time: slots, loaded models, the prompt cache of each slot, a queue. */
export class SimulatedServer {
  alive = true;
  /** Requests that it has, those that wait in it included. */
  inside = 0;
  readonly loaded = new Map<string, Loaded>();
  readonly #clock: VirtualClock;
  readonly #speed: ServerSpeed;
  readonly #slots: number;
  readonly #room: number;
  readonly #counts: FleetCounts;
  readonly #loads = new Map<string, Promise<void>>();
  #queue: Waiting[] = [];
  #active = 0;
  #life = 0;
  #failures = new Set<(error: ApiError) => void>();

  constructor(clock: VirtualClock, speed: ServerSpeed, slots: number, room: number, counts: FleetCounts) {
    this.#clock = clock;
    this.#speed = speed;
    this.#slots = slots;
    this.#room = room;
    this.#counts = counts;
  }

  /** Everything that it does breaks off, and everything that it has is lost. */
  die(): void {
    this.alive = false;
    this.#life += 1;
    const error = new ApiError("upstream_incomplete", { connectionBroke: true });
    for (const fail of this.#failures) fail(error);
    for (const { reject } of this.#queue) reject(error);
    this.#failures = new Set();
    this.#queue = [];
    this.#active = 0;
    this.inside = 0;
    this.loaded.clear();
    this.#loads.clear();
  }

  comeBack(): void {
    this.alive = true;
  }

  /** @throws ApiError when it dies before the end */
  async generate(job: Job): Promise<void> {
    if (!this.alive) throw new ApiError("upstream_unreachable", { retryable: true });
    const life = this.#life;
    this.inside += 1;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#queue.push({ job, resolve, reject });
        this.#work();
      });
    } finally {
      if (life === this.#life) this.inside -= 1;
    }
  }

  /** Loads a model, once for all that want it; makes room when nobody uses what is there. */
  load(model: string): Promise<void> {
    if (!this.alive) return Promise.reject(new ApiError("upstream_unreachable", { retryable: true }));
    if (this.loaded.has(model)) return Promise.resolve();
    const life = this.#life;
    const loading =
      this.#loads.get(model) ??
      this.#wait(this.#speed.loadMs).then(() => {
        if (life !== this.#life) throw new ApiError("upstream_unreachable", { retryable: true });
        this.#loads.delete(model);
        this.#makeRoom();
        this.loaded.set(model, { active: 0, usedAt: this.#clock.now, cached: [] });
        this.#counts.loads += 1;
        this.#work();
      });
    this.#loads.set(model, loading);
    return loading;
  }

  #makeRoom(): void {
    const idle = [...this.loaded].filter(([, { active }]) => active === 0);
    idle.sort(([, left], [, right]) => left.usedAt - right.usedAt);
    for (const [model] of idle) {
      if (this.loaded.size < this.#room) return;
      this.loaded.delete(model);
    }
  }

  /** Runs what waits, in its order; what is not loaded is loaded first. */
  #work(): void {
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
    const life = this.#life;
    this.#active += 1;
    loaded.active += 1;
    loaded.usedAt = this.#clock.now;
    this.#failures.add(reject);
    const place = loaded.cached.indexOf(job.conversation);
    const isCached = place !== -1;
    this.#counts.prompts += 1;
    if (isCached) {
      this.#counts.cachedPrompts += 1;
      loaded.cached.splice(place, 1);
    } else if (loaded.cached.length >= this.#slots) loaded.cached.shift();
    loaded.cached.push(job.conversation);
    const slowdown = 1 + SHARED_SLOWDOWN * (this.#active - 1);
    const { promptTokensPerSecond, outputTokensPerSecond } = this.#speed;
    const promptMs =
      ((isCached ? job.newTokens : job.promptTokens) / promptTokensPerSecond) * 1000 * slowdown;
    const outputMs = (job.outputTokens / outputTokensPerSecond) * 1000 * slowdown;
    this.#clock.after(promptMs, () => {
      if (life === this.#life) job.onFirstToken();
    });
    this.#clock.after(promptMs + outputMs, () => {
      if (life !== this.#life) return;
      this.#failures.delete(reject);
      this.#active -= 1;
      loaded.active -= 1;
      loaded.usedAt = this.#clock.now;
      resolve();
      this.#work();
    });
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(ms, resolve);
    });
  }
}
