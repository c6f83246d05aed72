import type { ApiError } from "../errors.ts";
import { CountsByName } from "../lib/counts-by-name.ts";
import type { AdmittedRequest } from "./admitted-request.ts";
import type { Waiter, WaitQueue } from "./wait-queue.ts";

// The queue may grow to this multiple of its limit if one key fills it with requests that cannot be rejected.
const MAX_EXCESS = 2;

/** The limit of waiting requests. In a full queue, keys with many requests make room for those with fewer. */
export class QueueRoom {
  readonly #limit: number;
  readonly #queue: WaitQueue;
  readonly #fullError: () => ApiError;
  /** Requests without a slot by key, including those not queued yet. */
  readonly #waiting = new CountsByName();
  /** Rejected in favour of another key but not finished yet. Not counted as waiting. */
  readonly #displaced = new Set<AdmittedRequest>();

  /** @param limit maximum number of waiting requests */
  constructor(limit: number, queue: WaitQueue, fullError: () => ApiError) {
    this.#limit = limit;
    this.#queue = queue;
    this.#fullError = fullError;
  }

  /** Number of requests that wait for a slot or a load. */
  get waiting(): number {
    return this.#waiting.total;
  }

  /** Number of requests without a slot: those that wait, and those that have been rejected but not finished yet. */
  get withoutSlot(): number {
    return this.#waiting.total + this.#displaced.size;
  }

  /** Counts a request of a key as waiting, until it gets a slot or ends. */
  addWaiting(key: string): void {
    this.#waiting.add(key, 1);
  }

  /** Counts a request of a key no longer as waiting, because it has a slot. */
  removeWaiting(key: string): void {
    this.#waiting.add(key, -1);
  }

  /** Forgets a request that ended without a slot. */
  remove(admitted: AdmittedRequest): void {
    if (!this.#displaced.delete(admitted)) this.#waiting.add(admitted.key, -1);
  }

  /**
   * Makes room for a request to wait, if necessary by rejecting another key's request.
   *
   * @param counted 1 if the request already counts as waiting, else 0
   * @param extra number of requests by which the limit may be exceeded
   * @returns false if the queue is full
   */
  makeRoom(key: string, counted: 0 | 1, extra = 0): boolean {
    return this.#waiting.total - counted < this.#limit + extra || this.#displaceFor(key, counted);
  }

  /**
   * Makes room in a full queue by rejecting the last request of the key with the most waiting requests, if that is more
   * than `key` has. If none of those can be rejected, because all have started or are not queued yet, lets the new
   * request exceed the limit, up to `MAX_EXCESS` times.
   */
  #displaceFor(key: string, counted: 0 | 1): boolean {
    let largest = this.#waiting.of(key) - counted + 1;
    let victim: Waiter | undefined;
    let hasLarger = false;
    for (const [each, count] of this.#waiting) {
      if (count <= largest) continue;
      hasLarger = true;
      const candidate = this.#queue.lastNotStarted(each);
      if (candidate === undefined) continue;
      victim = candidate;
      largest = count;
    }
    if (victim === undefined) return hasLarger && this.#waiting.total - counted < MAX_EXCESS * this.#limit;
    this.#queue.remove(victim);
    this.#displaced.add(victim.admitted);
    this.#waiting.add(victim.admitted.key, -1);
    victim.admitted.wait.end(this.#fullError());
    return true;
  }
}
