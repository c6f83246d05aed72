import { randomBytes } from "node:crypto";
import type { FastifyRequest } from "fastify";
import type { LoadOutcome } from "../backends/model-loader.ts";
import { IndexedSet } from "../lib/indexed-set.ts";
import type { RequestRecord } from "../observability/request-record.ts";
import type { AdmittedRequest } from "../scheduling/admitted-request.ts";
import type { Scheduler } from "../scheduling/scheduler.ts";
import { FinishedRequests } from "./finished-requests.ts";
import { HistoryRecorder, INTERVAL_SECONDS } from "./history.ts";

/** A request that has been admitted and has not ended. */
export interface ActiveRequest {
  readonly id: string;
  readonly request: FastifyRequest;
  readonly admitted: AdmittedRequest;
}

interface ActivityOptions {
  /** Whether clients must present a key. */
  readonly needsKey: () => boolean;
  /** Whether LOG_TEXT keeps texts. */
  readonly showsText: boolean;
}

/** Tracks POST requests: those in flight, the last finished ones, and the history of the last hour. */
export class Activity {
  readonly finished: FinishedRequests;
  readonly history = new HistoryRecorder();
  readonly #scheduler: Scheduler;
  readonly #needsKey: () => boolean;
  readonly #open = new IndexedSet<RequestRecord>();
  /** Makes IDs unique across restarts, as serial numbers start over. */
  readonly #process = randomBytes(4).toString("hex");
  #serial = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(scheduler: Scheduler, { needsKey, showsText }: ActivityOptions) {
    this.#scheduler = scheduler;
    this.#needsKey = needsKey;
    this.finished = new FinishedRequests((serial) => this.#idOf(serial), showsText);
    this.#timer = setInterval(() => {
      this.endInterval();
    }, INTERVAL_SECONDS * 1000).unref();
  }

  began(request: FastifyRequest): void {
    if (request.method !== "POST" || request.url.startsWith("/admin/")) return;
    const { record } = request;
    record.request = request;
    this.#serial += 1;
    record.serial = this.#serial;
    this.#open.add(record);
  }

  ended(request: FastifyRequest, status: number): void {
    const { record, consumer } = request;
    if (record.serial === 0) return;
    this.#open.delete(record);
    record.request = undefined;
    this.history.requestEnded(request);
    // On a gateway with keys, unauthenticated requests must not displace others.
    if (consumer.name !== "" || !this.#needsKey()) this.finished.add(request, status, record.elapsedMs());
  }

  loadEnded(outcome: LoadOutcome): void {
    this.history.loadEnded(outcome);
  }

  /** Requests in the queue or running, oldest first. */
  inFlight(): ActiveRequest[] {
    const active: ActiveRequest[] = [];
    for (const { request } of this.#open) {
      const admitted = request?.record.admitted;
      if (request === undefined || admitted === undefined || !this.#scheduler.has(admitted)) continue;
      active.push({ id: this.#idOf(request.record.serial), request, admitted });
    }
    return active.sort((one, other) => one.request.record.serial - other.request.record.serial);
  }

  endInterval(): void {
    let tokensInFlight = 0;
    for (const record of this.#open) tokensInFlight += record.generatedTokens;
    this.history.endInterval(Date.now(), {
      inFlight: this.#scheduler.inFlight,
      queued: this.#scheduler.waiting,
      memoryBytes: process.memoryUsage.rss(),
      tokensInFlight,
    });
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #idOf(serial: number): string {
    return `${this.#process}-${serial}`;
  }
}
