import { CountsByName } from "../lib/counts-by-name.ts";

/** How many requests wait, of all keys and of each. */
export class WaitingCounts {
  readonly #byKey = new CountsByName();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  of(key: string): number {
    return this.#byKey.of(key);
  }

  /** Keys with how many requests they have waiting; some of them none. */
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
