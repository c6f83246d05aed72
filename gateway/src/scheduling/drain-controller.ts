import { setTimeout as sleep } from "node:timers/promises";
import type { ForwardedRequests } from "./forwarded-requests.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Backend } from "../backends/backend.ts";
import type { BackendPool } from "../backends/backend-pool.ts";
import { canonicalModelName } from "../ollama/model-name.ts";

/** Receives one line of progress. */
export type Report = (line: string) => void;

type Backends = Pick<BackendPool, "all" | "probed" | "refresh">;

/** All requests in flight. */
interface Requests {
  readonly scheduler: Pick<Scheduler, "active" | "draining">;
  readonly forwarded: Pick<ForwardedRequests, "active">;
}

/** How long a draining gateway waits for the edge to notice, in milliseconds. */
const NOTICE_TIMES = {
  /** If no edge has probed it. */
  unknownMs: 2_500,
  /** An edge counts as present if it has probed within this time. */
  edgeMs: 10_000,
  /** Maximum wait for the next probe, which can be late on a busy host. */
  maxMs: 30_000,
  /** Extra time for requests that the edge has already sent. */
  inTransitMs: 1_000,
};

// How long to wait for another backend that can take over.
const TAKEOVER_MS = 30_000;
// When a drained gateway or backend that was not replaced is used again.
const RETURN_MS = 10 * 60_000;

const POLL_MS = 50;
const REPORT_INTERVAL_MS = 10_000;

/**
 * Drains this gateway or one of its backends before a replacement: stops new requests and waits for those in flight.
 */
export class DrainController {
  readonly #times: typeof NOTICE_TIMES;
  readonly #requests: Requests;
  readonly #backends: Backends;
  readonly #required: readonly string[];
  /** Hands over to a standby gateway and waits until it is active; undefined without a standby. */
  handOver: ((report: Report) => Promise<void>) | undefined;
  #drainReset: NodeJS.Timeout | undefined;
  #probedAt = -Infinity;
  #edgeNoticed = false;

  constructor(requests: Requests, backends: Backends, required: readonly string[], times = NOTICE_TIMES) {
    this.#times = times;
    this.#requests = requests;
    this.#backends = backends;
    this.#required = required.map(canonicalModelName);
  }

  /** Whether the edge should send requests here. Records that the edge has seen the state. */
  acceptsProbe(): boolean {
    this.#probedAt = performance.now();
    this.#edgeNoticed = this.isDraining;
    return this.canServe;
  }

  /** Whether this gateway accepts requests: its backends have been probed and it is not draining. */
  get canServe(): boolean {
    return this.#backends.probed && !this.isDraining;
  }

  /** Whether this gateway is about to be replaced. */
  get isDraining(): boolean {
    return this.#requests.scheduler.draining || this.#drainReset !== undefined;
  }

  /**
   * Directs new requests to a standby gateway or, by way of the edge, to another replica, and waits for the requests in
   * flight.
   *
   * @param noticeMs time until no new requests arrive, in milliseconds. Default: until the edge has noticed
   */
  async drainSelf(timeoutMs: number, report: Report, noticeMs?: number): Promise<void> {
    await this.handOver?.(report);
    clearTimeout(this.#drainReset);
    this.#edgeNoticed = false;
    // The caller may have died before it replaced the gateway.
    this.#drainReset = setTimeout(() => {
      this.#drainReset = undefined;
    }, timeoutMs + RETURN_MS).unref();
    await (noticeMs === undefined ? this.#waitForEdge() : sleep(noticeMs));
    const { scheduler, forwarded } = this.#requests;
    await waitUntilIdle(() => scheduler.active + forwarded.active, timeoutMs, report);
  }

  /** Accepts new requests again after a drain. */
  returnSelf(): void {
    clearTimeout(this.#drainReset);
    this.#drainReset = undefined;
  }

  /** What gets no new requests because of a drain: "this gateway", and backends as "host:port". */
  drained(): string[] {
    const self = this.#drainReset === undefined ? [] : ["this gateway"];
    return [...self, ...this.#backends.all.flatMap(({ name, isCordoned }) => (isCordoned ? [name] : []))];
  }

  async #waitForEdge(): Promise<void> {
    const { unknownMs, edgeMs, maxMs, inTransitMs } = this.#times;
    if (performance.now() - this.#probedAt > edgeMs) return sleep(unknownMs);
    await pollUntil(() => this.#edgeNoticed, maxMs);
    await sleep(inTransitMs);
  }

  /**
   * Stops new requests to a backend and waits for those in flight. Undone by `uncordon`.
   *
   * @param name "host:port"
   */
  async cordon(name: string, timeoutMs: number, report: Report): Promise<void> {
    const backend = this.#find(name);
    if (!(await pollUntil(() => this.#canTakeOver(backend), Math.min(TAKEOVER_MS, timeoutMs)))) {
      report(`no other Ollama server could take over from ${name}: its requests will fail`);
      return;
    }
    backend.cordon(timeoutMs + RETURN_MS);
    await waitUntilIdle(() => backend.inFlight, timeoutMs, report);
  }

  /** Returns a backend to service; it gets requests as soon as it responds to a probe. */
  async uncordon(name: string): Promise<void> {
    this.#find(name).uncordon();
    await this.#backends.refresh();
  }

  #find(name: string): Backend {
    const backend = this.#backends.all.find((each) => each.name === name);
    if (backend === undefined) {
      const known = this.#backends.all.map((each) => each.name).join(", ");
      throw new UnknownBackendError(`${name} is not a backend of this gateway; it has ${known}`);
    }
    return backend;
  }

  #canTakeOver(instead: Backend): boolean {
    return this.#backends.all.some(
      (each) => each !== instead && each.usable && this.#required.every((model) => each.holds(model)),
    );
  }
}

export class UnknownBackendError extends Error {
  override readonly name = "UnknownBackendError";
}

/** Waits until the count is zero or the timeout has passed, and reports progress. */
async function waitUntilIdle(count: () => number, timeoutMs: number, report: Report): Promise<void> {
  const requests = () => `${count()} ${count() === 1 ? "request" : "requests"}`;
  const started = performance.now();
  let reportedAt = started;
  while (count() > 0) {
    const now = performance.now();
    if (now - started > timeoutMs) {
      report(`${requests()} did not finish within ${timeoutMs / 1000} s and will be aborted`);
      return;
    }
    if (now - reportedAt > REPORT_INTERVAL_MS) {
      reportedAt = now;
      report(`waiting for ${requests()} to finish`);
    }
    await sleep(POLL_MS);
  }
}

async function pollUntil(isSo: () => boolean, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (!isSo()) {
    if (performance.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}
