/** How many requests wait, of all keys and of each. */
export class WaitingCounts {
  readonly #byKey = new Map<string, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  of(key: string): number {
    return this.#byKey.get(key) ?? 0;
  }

  /** The keys that have requests waiting, with how many they have. */
  get byKey(): ReadonlyMap<string, number> {
    return this.#byKey;
  }

  begin(key: string): void {
    this.#total += 1;
    this.#byKey.set(key, this.of(key) + 1);
  }

  end(key: string): void {
    this.#total -= 1;
    const left = this.of(key) - 1;
    if (left > 0) this.#byKey.set(key, left);
    else this.#byKey.delete(key);
  }
}
