// Names that count nothing are few: those of keys, one in use after the other.
const KEPT_AT_ZERO = 64;

/**
 * A count for each name, such as a key's.
 *
 * A name whose count comes back to zero stays for the next time. A Map that loses its last entry gets a new table, and
 * the old one, once it is old, keeps the new one and those after it until a full garbage collection (see IndexedSet).
 */
export class CountsByName implements Iterable<readonly [name: string, count: number]> {
  readonly #counts = new Map<string, number>();

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  add(name: string, amount: number): void {
    const count = this.of(name) + amount;
    // Names of keys that are gone are not kept for good.
    if (count === 0 && this.#counts.size > KEPT_AT_ZERO) this.#counts.delete(name);
    else this.#counts.set(name, count);
  }

  /** Those that have counted something, in no order. */
  [Symbol.iterator](): Iterator<readonly [name: string, count: number]> {
    return this.#counts[Symbol.iterator]();
  }
}
