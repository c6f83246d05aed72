/** Tenths of a millisecond are enough. */
export function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}
