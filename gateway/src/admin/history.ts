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

type ErrorCounts = Record<ErrorKind, number>;

/** One interval, with the names of the contract. */
type Point = { readonly errors: ErrorCounts } & {
  readonly [
    Name in Exclude<keyof History, "interval_seconds" | "errors" | "load_events">
  ]: History[Name][number];
};

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

/** History of the last hour with a point per five seconds. */
export class HistoryRecorder {
  /** Oldest first. */
  readonly #points: Point[] = [];

  // Counts of the current interval.
  #requests = 0;
  #errors = noErrors();
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
  endInterval(now: number, standing: Standing): void {
    if (this.#points.length === POINTS) this.#points.shift();
    this.#points.push(this.#pointAt(now, standing));
    this.#requests = this.#loads = this.#promptTokens = this.#generatedTokens = 0;
    this.#generatedBefore = standing.tokensInFlight;
    this.#firstToken.clear();
    this.#queue.clear();
    this.#errors = noErrors();
  }

  #pointAt(now: number, { inFlight, queued, memoryBytes, tokensInFlight }: Standing): Point {
    // Estimates may turn out too high.
    const generated = Math.max(0, this.#generatedTokens + tokensInFlight - this.#generatedBefore);
    const firstToken = this.#firstToken.sorted();
    const queue = this.#queue.sorted();
    return {
      at: Math.round(now / 1000),
      requests: this.#requests,
      errors: this.#errors,
      generated_tokens_per_second: roundToTenths(generated / INTERVAL_SECONDS),
      prompt_tokens_per_second: roundToTenths(this.#promptTokens / INTERVAL_SECONDS),
      first_token_p50_ms: roundedPercentile(firstToken, 0.5),
      first_token_p95_ms: roundedPercentile(firstToken, 0.95),
      queue_p50_ms: roundedPercentile(queue, 0.5),
      queue_p95_ms: roundedPercentile(queue, 0.95),
      in_flight: inFlight,
      queued,
      memory_bytes: memoryBytes,
      loads: this.#loads,
    };
  }

  show(viewer: Viewer): History {
    const points = this.#points;
    const column = <Name extends keyof Point>(name: Name) => points.map((point) => point[name]);
    return {
      interval_seconds: INTERVAL_SECONDS,
      at: column("at"),
      requests: column("requests"),
      errors: Object.fromEntries(
        errorKinds.map((kind) => [kind, points.map(({ errors }) => errors[kind])]),
      ) as History["errors"],
      generated_tokens_per_second: column("generated_tokens_per_second"),
      prompt_tokens_per_second: column("prompt_tokens_per_second"),
      first_token_p50_ms: column("first_token_p50_ms"),
      first_token_p95_ms: column("first_token_p95_ms"),
      queue_p50_ms: column("queue_p50_ms"),
      queue_p95_ms: column("queue_p95_ms"),
      in_flight: column("in_flight"),
      queued: column("queued"),
      memory_bytes: column("memory_bytes"),
      loads: column("loads"),
      load_events: this.#loadEvents
        .filter(({ model }) => viewer.allows(model))
        .map((event) => ({
          ...event,
          at: new Date(event.at).toISOString(),
          backend: viewer.backend(event.backend),
          milliseconds: roundToTenths(event.milliseconds),
        })),
    };
  }
}

function noErrors(): ErrorCounts {
  return Object.fromEntries(errorKinds.map((kind) => [kind, 0])) as ErrorCounts;
}

function roundedPercentile(sorted: Float64Array, share: number): number | null {
  const value = percentile(sorted, share);
  return value === undefined ? null : roundToTenths(value);
}
