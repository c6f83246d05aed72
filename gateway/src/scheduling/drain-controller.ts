import { setTimeout as sleep } from "node:timers/promises";
import type { Scheduler } from "./scheduler.ts";
import type { Backend } from "../backends/backend.ts";
import type { BackendPool } from "../backends/backend-pool.ts";
import { canonicalModelName } from "../ollama/model-name.ts";

/** Takes the progress of a drain, a line at a time. */
export type Report = (line: string) => void;

/** How long a gateway that leaves waits for an edge to notice, in milliseconds. */
interface NoticeTimes {
  /** Without an edge that probes. */
  readonly unknownMs: number;
  /** An edge that has probed within this time is waited for until it does so again. */
  readonly edgeMs: number;
  /** How long at most: it probes every second, and on a busy host later. */
  readonly longestMs: number;
  /** For requests that it has sent before. */
  readonly onTheWayMs: number;
}

type Servers = Pick<BackendPool, "all" | "looked" | "refresh">;

const NOTICE_TIMES = { unknownMs: 2_500, edgeMs: 10_000, longestMs: 30_000, onTheWayMs: 1_000 };
// How long it is waited for another server that could take over.
const TAKEOVER_MS = 30_000;
// After how long what was drained, and not replaced after all, is used again.
const RETURN_MS = 10 * 60_000;

const LOOK_MS = 50;
const TELL_MS = 10_000;

/**
 * Takes work off this gateway, or off one of its Ollama servers, so that it can be replaced without a request being cut:
 * nothing new is sent there, and what is under way is waited for.
 */
export class DrainController {
  readonly #times: NoticeTimes;
  readonly #admission: Pick<Scheduler, "inside" | "draining">;
  readonly #backends: Servers;
  readonly #required: readonly string[];
  /** Lets a gateway that stands by take over, and waits until it has; undefined: there is none. */
  handOver: ((say: Report) => Promise<void>) | undefined;
  #leaving: NodeJS.Timeout | undefined;
  #probedAt = -Infinity;
  #isNoticed = false;

  constructor(
    admission: Pick<Scheduler, "inside" | "draining">,
    backends: Servers,
    required: readonly string[],
    times: NoticeTimes = NOTICE_TIMES,
  ) {
    this.#times = times;
    this.#admission = admission;
    this.#backends = backends;
    this.#required = required.map(canonicalModelName);
  }

  /** Whether an edge that probes should send requests here. It acts on it. */
  acceptsProbe(): boolean {
    this.#probedAt = performance.now();
    this.#isNoticed = this.isLeaving;
    return this.canServe;
  }

  /** Whether requests can be sent here: not before the servers were probed once, and not when it is about to go. */
  get canServe(): boolean {
    return this.#backends.looked && !this.isLeaving;
  }

  /** Whether this gateway is about to be replaced. */
  get isLeaving(): boolean {
    return this.#admission.draining || this.#leaving !== undefined;
  }

  /**
   * Has requests sent elsewhere, by a gateway that takes over or by the edge, and waits until those that are here have
   * ended.
   *
   * @param noticeMs how long it takes until no new requests come; by default, until the edge has noticed
   */
  async drainSelf(timeoutMs: number, say: Report, noticeMs?: number): Promise<void> {
    await this.handOver?.(say);
    clearTimeout(this.#leaving);
    this.#isNoticed = false;
    // Whoever started it may have died before it replaced the gateway.
    this.#leaving = setTimeout(() => {
      this.#leaving = undefined;
    }, timeoutMs + RETURN_MS).unref();
    await (noticeMs === undefined ? this.#noticed() : sleep(noticeMs));
    await ended(() => this.#admission.inside, timeoutMs, say);
  }

  async #noticed(): Promise<void> {
    const { unknownMs, edgeMs, longestMs, onTheWayMs } = this.#times;
    if (performance.now() - this.#probedAt > edgeMs) return sleep(unknownMs);
    await soon(() => this.#isNoticed, longestMs);
    await sleep(onTheWayMs);
  }

  /**
   * Sends nothing more to a server, and waits until what runs there has ended. Undone by `comeBack`.
   *
   * @param name "host:port"
   */
  async cordon(name: string, timeoutMs: number, say: Report): Promise<void> {
    const backend = this.#find(name);
    if (!(await soon(() => this.#canTakeOver(backend), Math.min(TAKEOVER_MS, timeoutMs)))) {
      say(`no other Ollama server could take over from ${name}: its requests will fail`);
      return;
    }
    backend.cordon(timeoutMs + RETURN_MS);
    await ended(() => backend.inFlight, timeoutMs, say);
  }

  /** Sends requests to a server again, as soon as it answers. */
  async uncordon(name: string): Promise<void> {
    this.#find(name).uncordon();
    await this.#backends.refresh();
  }

  #find(name: string): Backend {
    const backend = this.#backends.all.find((each) => each.name === name);
    if (backend === undefined) {
      const known = this.#backends.all.map((each) => each.name).join(", ");
      throw new UnknownServer(`${name} is not a server of this gateway; it has ${known}`);
    }
    return backend;
  }

  #canTakeOver(instead: Backend): boolean {
    return this.#backends.all.some(
      (each) => each !== instead && each.usable && this.#required.every((model) => each.holds(model)),
    );
  }
}

export class UnknownServer extends Error {
  override readonly name = "UnknownServer";
}

/** Waits until there are none, reports how many are left, and says so when they are given up. */
async function ended(count: () => number, timeoutMs: number, say: Report): Promise<void> {
  const requests = () => `${count()} ${count() === 1 ? "request" : "requests"}`;
  const started = performance.now();
  let told = started;
  while (count() > 0) {
    const now = performance.now();
    if (now - started > timeoutMs) {
      say(`${requests()} did not end within ${timeoutMs / 1000} s, and will be cut`);
      return;
    }
    if (now - told > TELL_MS) {
      told = now;
      say(`waiting for ${requests()} to end`);
    }
    await sleep(LOOK_MS);
  }
}

async function soon(isSo: () => boolean, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (!isSo()) {
    if (performance.now() > deadline) return false;
    await sleep(LOOK_MS);
  }
  return true;
}
