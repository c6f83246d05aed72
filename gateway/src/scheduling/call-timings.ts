/** One wait for a slot, perhaps for a load before it, and the hold of the slot; all times in ms. */
export class CallTimings {
  /** Since this process began. */
  readonly since = performance.now();
  loadMs = 0;
  queueMs = 0;
  #heldSince: number | undefined;
  #heldMs = 0;
  #holds = false;

  /** When it got its slot, or its last one; undefined: it never did. */
  get heldSince(): number | undefined {
    return this.#heldSince;
  }

  /** How long it has had its slot, or had its last one. */
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

  /** It had no slot after all: another gateway took it. */
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
