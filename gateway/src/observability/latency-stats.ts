import type { RequestRecord } from "./request-record.ts";

// Large enough for a 99th percentile, small enough to keep one per route.
const WINDOW = 1000;

const MS_PER_SECOND = 1000;

/** The latest latencies of one kind, in seconds, in a ring buffer. */
class Latencies {
  readonly #window = new Float64Array(WINDOW);
  #count = 0;

  add(seconds: number): void {
    this.#window[this.#count % WINDOW] = seconds;
    this.#count += 1;
  }

  /** In OPEA's format. */
  summary(suffix: string): object {
    const sorted = this.#window.slice(0, Math.min(this.#count, WINDOW)).sort();
    const percentile = (share: number): number | null =>
      sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? null;
    const sum = sorted.reduce((total, each) => total + each, 0);
    return {
      [`p50_latency${suffix}`]: percentile(0.5),
      [`p99_latency${suffix}`]: percentile(0.99),
      [`average_latency${suffix}`]: sorted.length === 0 ? null : sum / sorted.length,
    };
  }
}

/** Latencies of completed responses by route, for OPEA's `/v1/statistics`. */
export class Statistics {
  readonly #routes = new Map<string, { total: Latencies; firstToken: Latencies }>();

  /** @param route the registered pattern, which bounds the number of entries */
  count(route: string, record: RequestRecord): void {
    if (record.error !== undefined || record.firstTokenMs === undefined) return;
    let latencies = this.#routes.get(route);
    if (latencies === undefined) {
      latencies = { total: new Latencies(), firstToken: new Latencies() };
      this.#routes.set(route, latencies);
    }
    latencies.total.add(record.elapsedMs() / MS_PER_SECOND);
    latencies.firstToken.add(record.firstTokenMs / MS_PER_SECOND);
  }

  summary(): object {
    const routes = [...this.#routes].map(([route, { total, firstToken }]) => [
      `opea_service@${route}`,
      { ...total.summary(""), ...firstToken.summary("_first_token") },
    ]);
    return Object.fromEntries(routes) as object;
  }
}
