import { randomly } from "../test-support/random-values.ts";

/** A seeded random number generator. */
export class Random {
  /** From 0 (inclusive) to 1 (exclusive). */
  readonly next: () => number;

  constructor(seed: number) {
    this.next = randomly(seed).number;
  }

  /** An integer from `min` to `max`, both inclusive. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(values: readonly T[]): T {
    const value = values[this.integer(0, values.length - 1)];
    if (value === undefined) throw new Error("nothing to pick from");
    return value;
  }

  /** Some of the values, each once, in random order. */
  sample<T>(values: readonly T[], count: number): T[] {
    const rest = [...values];
    for (let at = rest.length - 1; at > 0; at -= 1) {
      const other = this.integer(0, at);
      [rest[at], rest[other]] = [rest[other] as T, rest[at] as T];
    }
    return rest.slice(0, count);
  }
}
