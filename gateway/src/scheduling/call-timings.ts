/**
 * Timings of one call: the wait for a slot, including a model load, and the time with the slot. All in milliseconds.
 */
export class CallTimings {
  /** By `performance.now()`. */
  readonly since = performance.now();
  loadMs = 0;
  queueMs = 0;
  #heldSince: number | undefined;
  #heldMs = 0;
  #holds = false;

  /** When it got its current or last slot; undefined if it never had one. */
  get heldSince(): number | undefined {
    return this.#heldSince;
  }

  /** How long it has held its current slot, or held its last one. */
  get heldMs(): number {
    return this.#holds ? performance.now() - (this.#heldSince ?? 0) : this.#heldMs;
  }

  loaded(): void {
    this.loadMs = performance.now() - this.since;
  }

  begin(): void {
    const now = performance.now();
    this.#heldSince = now;
    this.#holds = true;
    this.queueMs = now - this.since - this.loadMs;
  }

  /** Undoes `begin`: another gateway took the slot. */
  revoke(): void {
    this.#heldSince = undefined;
    this.#heldMs = 0;
    this.#holds = false;
    this.queueMs = 0;
  }

  end(): void {
    this.#heldMs = this.heldMs;
    this.#holds = false;
  }
}
