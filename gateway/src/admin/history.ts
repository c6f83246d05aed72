import type { FastifyRequest } from "fastify";
import type { LoadOutcome } from "../backends/model-loader.ts";
import { percentile, RecentValues } from "../lib/recent-values.ts";
import { roundToTenths } from "../lib/round-to-tenths.ts";
import { type ErrorKind, type History, errorKinds } from "./contract/history.ts";
import { errorKindOf } from "./error-kind.ts";
import type { Viewer } from "./viewer.ts";

export const INTERVAL_SECONDS = 5;
const POINTS = 720;
const LOAD_EVENTS = 100;
// Samples per interval, for its percentiles.
const SAMPLES = 512;

const COUNTS = ["requests", "loads", "in_flight", "queued", ...errorKinds] as const;
const AMOUNTS = [
  "generated_tokens_per_second",
  "prompt_tokens_per_second",
  "first_token_p50_ms",
  "first_token_p95_ms",
  "queue_p50_ms",
  "queue_p95_ms",
] as const;

type Count = (typeof COUNTS)[number];
type Amount = (typeof AMOUNTS)[number];

/** State at the end of an interval. */
interface Standing {
  readonly inFlight: number;
  readonly queued: number;
  readonly memoryBytes: number;
  /** Tokens generated so far by the requests in flight. */
  readonly tokensInFlight: number;
}

interface LoadEvent {
  readonly at: number;
  readonly model: string;
  readonly backend: string;
  readonly milliseconds: number;
  readonly error: string | null;
}

function columns<Name extends string, Values>(
  names: readonly Name[],
  make: () => Values,
): Record<Name, Values> {
  return Object.fromEntries(names.map((name) => [name, make()])) as Record<Name, Values>;
}

/** History of the last hour with a point per five seconds, in fixed memory. */
export class HistoryRecorder {
  readonly #counts = columns(COUNTS, () => new Uint32Array(POINTS));
  readonly #amounts = columns(AMOUNTS, () => new Float32Array(POINTS));
  readonly #memory = new Float64Array(POINTS);
  readonly #at = new Float64Array(POINTS);
  #points = 0;

  // Counts of the current interval.
  #requests = 0;
  readonly #errors = columns(errorKinds, () => 0);
  #loads = 0;
  #promptTokens = 0;
  #generatedTokens = 0;
  #generatedBefore = 0;
  readonly #firstToken = new RecentValues(SAMPLES);
  readonly #queue = new RecentValues(SAMPLES);

  readonly #loadEvents: LoadEvent[] = [];

  requestEnded({ record }: Pick<FastifyRequest, "record">): void {
    const { error, admitted, usage, firstTokenMs } = record;
    this.#requests += 1;
    if (error !== undefined) this.#errors[errorKindOf(error)] += 1;
    if (admitted === undefined) return;
    if (admitted.ran) this.#queue.add(admitted.queueMs);
    if (firstTokenMs !== undefined) this.#firstToken.add(firstTokenMs);
    this.#promptTokens += usage?.prompt_tokens ?? 0;
    this.#generatedTokens += record.generatedTokens;
  }

  loadEnded({ model, backend, milliseconds, error }: LoadOutcome): void {
    this.#loads += 1;
    if (this.#loadEvents.length === LOAD_EVENTS) this.#loadEvents.shift();
    this.#loadEvents.push({
      at: Date.now(),
      model,
      backend: backend.name,
      milliseconds,
      error: error?.code ?? null,
    });
  }

  /**
   * Ends an interval.
   *
   * @param now Unix time in milliseconds
   */
  endInterval(now: number, { inFlight, queued, memoryBytes, tokensInFlight }: Standing): void {
    const point = this.#points % POINTS;
    const generated = this.#generatedTokens + tokensInFlight;
    const firstToken = this.#firstToken.sorted();
    const queue = this.#queue.sorted();
    this.#at[point] = Math.round(now / 1000);
    this.#memory[point] = memoryBytes;
    this.#setCounts(point, {
      requests: this.#requests,
      loads: this.#loads,
      in_flight: inFlight,
      queued,
      ...this.#errors,
    });
    this.#setAmounts(point, {
      // Estimates may turn out too high.
      generated_tokens_per_second: Math.max(0, generated - this.#generatedBefore) / INTERVAL_SECONDS,
      prompt_tokens_per_second: this.#promptTokens / INTERVAL_SECONDS,
      first_token_p50_ms: percentile(firstToken, 0.5) ?? NaN,
      first_token_p95_ms: percentile(firstToken, 0.95) ?? NaN,
      queue_p50_ms: percentile(queue, 0.5) ?? NaN,
      queue_p95_ms: percentile(queue, 0.95) ?? NaN,
    });
    this.#points += 1;
    this.#requests = this.#loads = this.#promptTokens = this.#generatedTokens = 0;
    this.#generatedBefore = tokensInFlight;
    this.#firstToken.clear();
    this.#queue.clear();
    for (const kind of errorKinds) this.#errors[kind] = 0;
  }

  show(viewer: Viewer): History {
    const list = (values: ArrayLike<number>): number[] => this.#inOrder(values);
    const nullable = (values: ArrayLike<number>) =>
      list(values).map((value) => (Number.isNaN(value) ? null : roundToTenths(value)));
    const [counts, amounts] = [this.#counts, this.#amounts];
    return {
      interval_seconds: INTERVAL_SECONDS,
      at: list(this.#at),
      requests: list(counts.requests),
      errors: Object.fromEntries(errorKinds.map((kind) => [kind, list(counts[kind])])) as Record<
        ErrorKind,
        number[]
      >,
      generated_tokens_per_second: list(amounts.generated_tokens_per_second).map(roundToTenths),
      prompt_tokens_per_second: list(amounts.prompt_tokens_per_second).map(roundToTenths),
      first_token_p50_ms: nullable(amounts.first_token_p50_ms),
      first_token_p95_ms: nullable(amounts.first_token_p95_ms),
      queue_p50_ms: nullable(amounts.queue_p50_ms),
      queue_p95_ms: nullable(amounts.queue_p95_ms),
      in_flight: list(counts.in_flight),
      queued: list(counts.queued),
      memory_bytes: list(this.#memory),
      loads: list(counts.loads),
      load_events: this.#loadEvents
        .filter(({ model }) => viewer.allows(model))
        .map(({ at, model, backend, milliseconds, error }) => ({
          at: new Date(at).toISOString(),
          model,
          backend: viewer.backend(backend),
          milliseconds: roundToTenths(milliseconds),
          error,
        })),
    };
  }

  #setCounts(point: number, values: Readonly<Record<Count, number>>): void {
    for (const name of COUNTS) this.#counts[name][point] = values[name];
  }

  #setAmounts(point: number, values: Readonly<Record<Amount, number>>): void {
    for (const name of AMOUNTS) this.#amounts[name][point] = values[name];
  }

  #inOrder(values: ArrayLike<number>): number[] {
    const length = Math.min(this.#points, POINTS);
    const first = this.#points - length;
    return Array.from({ length }, (_, index) => values[(first + index) % POINTS] ?? 0);
  }
}
