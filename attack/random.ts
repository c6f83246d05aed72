import { randomly } from "../test-support/random-values.ts";

/** Random numbers that a seed repeats. */
export class Random {
  /** From 0 up to 1, without it. */
  readonly next: () => number;

  constructor(seed: number) {
    this.next = randomly(seed).number;
  }

  /** A whole number from `min` to `max`, both included. */
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
