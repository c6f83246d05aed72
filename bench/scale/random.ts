import { randomly } from "../../test-support/random-values.ts";

/** Random numbers that are the same for the same seed. */
export class Random {
  /** From 0 to 1, excluding 1. */
  readonly next: () => number;

  constructor(seed: number) {
    this.next = randomly(seed).number;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** A time with an exponential distribution. */
  waiting(mean: number): number {
    return -mean * Math.log(1 - this.next());
  }

  /** A length with a log-normal distribution, which has a heavy tail. */
  length(median: number, spread: number, max: number): number {
    const normal = Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
    return Math.max(1, Math.min(max, Math.round(median * Math.exp(spread * normal))));
  }
}

/** Chooses among `count` by Zipf's law: the first twice as often as the second, three times as often as the third. */
export class Zipf {
  readonly #sums: readonly number[];

  constructor(count: number, exponent: number) {
    let sum = 0;
    const sums = Array.from({ length: count }, (_, index) => (sum += (index + 1) ** -exponent));
    this.#sums = sums.map((each) => each / sum);
  }

  choose(random: Random): number {
    const at = random.next();
    return this.#sums.findIndex((sum) => at < sum);
  }
}
