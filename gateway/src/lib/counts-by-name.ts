// Names are those of keys in use, so few of them are zero.
const MAX_ZERO_ENTRIES = 64;

/**
 * Counters by name.
 *
 * A counter that returns to zero is kept for reuse. A Map that loses its last entry gets a new table, and in the old
 * generation the old table keeps its successors alive until a full garbage collection (see IndexedSet).
 */
export class CountsByName implements Iterable<readonly [name: string, count: number]> {
  readonly #counts = new Map<string, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  add(name: string, amount: number): void {
    this.#total += amount;
    const count = this.of(name) + amount;
    // Do not accumulate the names of removed keys.
    if (count === 0 && this.#counts.size > MAX_ZERO_ENTRIES) this.#counts.delete(name);
    else this.#counts.set(name, count);
  }

  /** Counters that are or were in use, in no particular order. */
  [Symbol.iterator](): Iterator<readonly [name: string, count: number]> {
    return this.#counts[Symbol.iterator]();
  }
}
