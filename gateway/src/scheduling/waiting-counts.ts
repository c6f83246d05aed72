import { CountsByName } from "../lib/counts-by-name.ts";

/** Counts waiting requests, in total and by key. */
export class WaitingCounts {
  readonly #byKey = new CountsByName();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  of(key: string): number {
    return this.#byKey.of(key);
  }

  /** Number of waiting requests by key, including keys with none. */
  get byKey(): Iterable<readonly [key: string, count: number]> {
    return this.#byKey;
  }

  begin(key: string): void {
    this.#total += 1;
    this.#byKey.add(key, 1);
  }

  end(key: string): void {
    this.#total -= 1;
    this.#byKey.add(key, -1);
  }
}
