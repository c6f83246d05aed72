import type { RequestRecord } from "./request-record.ts";

// Enough for a 99th percentile that means something, little enough to be kept for every route.
const WINDOW = 1000;

const MS_PER_SECOND = 1000;

/** The last latencies of one kind, in seconds. What is older is forgotten, so that the memory stays as it is. */
class Latencies {
  readonly #window = new Float64Array(WINDOW);
  #seen = 0;

  add(seconds: number): void {
    this.#window[this.#seen % WINDOW] = seconds;
    this.#seen += 1;
  }

  /** In OPEA's form. */
  summary(suffix: string): object {
    const sorted = this.#window.slice(0, Math.min(this.#seen, WINDOW)).sort();
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

/** How long the completed answers of each route took, for OPEA's `/v1/statistics`. */
export class Statistics {
  readonly #routes = new Map<string, { whole: Latencies; firstToken: Latencies }>();

  /** @param route the route's pattern, of which there are only so many */
  count(route: string, record: RequestRecord): void {
    if (record.error !== undefined || record.firstTokenMs === undefined) return;
    let latencies = this.#routes.get(route);
    if (latencies === undefined) {
      latencies = { whole: new Latencies(), firstToken: new Latencies() };
      this.#routes.set(route, latencies);
    }
    latencies.whole.add(record.elapsedMs() / MS_PER_SECOND);
    latencies.firstToken.add(record.firstTokenMs / MS_PER_SECOND);
  }

  summary(): object {
    const routes = [...this.#routes].map(([route, { whole, firstToken }]) => [
      `opea_service@${route}`,
      { ...whole.summary(""), ...firstToken.summary("_first_token") },
    ]);
    return Object.fromEntries(routes) as object;
  }
}
