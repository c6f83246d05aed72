/** Random values from a seed, so that findings are reproducible. */
export interface Chance {
  /** From 0 to 1, excluding 1. */
  readonly number: () => number;
  pick<T>(from: readonly T[]): T;
  /** True with this probability. */
  often(share: number): boolean;
}

/** Mulberry32. */
export function randomly(seed: number): Chance {
  let state = seed;
  const number = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    number,
    pick<T>(from: readonly T[]): T {
      if (from.length === 0) throw new Error("nothing to pick from");
      return from[Math.floor(number() * from.length)] as T;
    },
    often: (share) => number() < share,
  };
}
