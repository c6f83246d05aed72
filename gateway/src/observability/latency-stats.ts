import { percentile, RecentValues } from "../lib/recent-values.ts";
import type { RequestRecord } from "./request-record.ts";

// Large enough for a 99th percentile, small enough to keep one per route.
const WINDOW = 1000;

const MS_PER_SECOND = 1000;

/** Latencies of completed responses by route, for OPEA's `/v1/statistics`. */
export class Statistics {
  readonly #routes = new Map<string, { total: RecentValues; firstToken: RecentValues }>();

  /** @param route the registered pattern, which bounds the number of entries */
  count(route: string, record: RequestRecord): void {
    if (record.error !== undefined || record.firstTokenMs === undefined) return;
    let latencies = this.#routes.get(route);
    if (latencies === undefined) {
      latencies = { total: new RecentValues(WINDOW), firstToken: new RecentValues(WINDOW) };
      this.#routes.set(route, latencies);
    }
    latencies.total.add(record.elapsedMs() / MS_PER_SECOND);
    latencies.firstToken.add(record.firstTokenMs / MS_PER_SECOND);
  }

  summary(): object {
    const routes = [...this.#routes].map(([route, { total, firstToken }]) => [
      `opea_service@${route}`,
      { ...summaryOf(total, ""), ...summaryOf(firstToken, "_first_token") },
    ]);
    return Object.fromEntries(routes) as object;
  }
}

/** Summarizes latencies in seconds, in OPEA's format. */
function summaryOf(latencies: RecentValues, suffix: string): object {
  const sorted = latencies.sorted();
  const sum = sorted.reduce((total, each) => total + each, 0);
  return {
    [`p50_latency${suffix}`]: percentile(sorted, 0.5) ?? null,
    [`p99_latency${suffix}`]: percentile(sorted, 0.99) ?? null,
    [`average_latency${suffix}`]: sorted.length === 0 ? null : sum / sorted.length,
  };
}
