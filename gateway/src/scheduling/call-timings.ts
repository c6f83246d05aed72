/**
 * Timings of one call: the wait for a slot, including a model load, and the time with the slot. A retry on another
 * backend adds to both. All in milliseconds.
 */
export class CallTimings {
  /** By `performance.now()`. */
  readonly since = performance.now();
  loadMs = 0;
  queueMs = 0;
  #heldSince: number | undefined;
  /** How long it held its last slot. */
  #slotMs = 0;
  /** How long it held all slots before the current one. */
  #endedMs = 0;
  #holds = false;

  /** When it got its current or last slot; undefined if it never had one. */
  get heldSince(): number | undefined {
    return this.#heldSince;
  }

  /** How long it has held its current slot, or held its last one. */
  get slotMs(): number {
    return this.#holds ? performance.now() - (this.#heldSince ?? 0) : this.#slotMs;
  }

  /** How long it has held slots, including those of backends that failed. */
  get heldMs(): number {
    return this.#holds ? this.#endedMs + this.slotMs : this.#endedMs;
  }

  loaded(): void {
    this.loadMs = performance.now() - this.since - this.#endedMs;
  }

  begin(): void {
    const now = performance.now();
    this.#heldSince = now;
    this.#holds = true;
    this.queueMs = now - this.since - this.loadMs - this.#endedMs;
  }

  /** Undoes `begin`: another gateway took the slot. */
  revoke(): void {
    this.#heldSince = undefined;
    this.#slotMs = 0;
    this.#holds = false;
    this.queueMs = 0;
  }

  end(): void {
    this.#slotMs = this.slotMs;
    this.#endedMs += this.#slotMs;
    this.#holds = false;
  }
}
