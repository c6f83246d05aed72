import { type Measured, type MeasureName, measures } from "./measures.ts";

/** What several rounds gave: the middle one, and how far apart they were. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export type Summaries = Partial<Record<MeasureName, Summary>>;

/** Undefined without a value. */
export function summaryOf(values: readonly number[]): Summary | undefined {
  const sorted = values.toSorted((left, right) => left - right);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) return undefined;
  const [low, high] = [sorted[(sorted.length - 1) >> 1] ?? NaN, sorted[sorted.length >> 1] ?? NaN];
  return { median: (low + high) / 2, min, max };
}

/** The value below which the given share of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? NaN;
}

/** Each measure over the rounds; one that some round lacks is left out. */
export function summarize(rounds: readonly Measured[]): Summaries {
  const summaries: Summaries = {};
  for (const name of Object.keys(measures) as MeasureName[]) {
    const values = rounds.flatMap((round) => round[name] ?? []);
    const summary = values.length === rounds.length ? summaryOf(values) : undefined;
    if (summary !== undefined) summaries[name] = summary;
  }
  return summaries;
}

/** What a peer adds to a direct answer, in the same round: noise that lasts longer than a round is in both. */
export function added(measured: Measured, direct: Measured): Measured {
  const result = { ...measured };
  for (const [name, of] of [
    ["addedWholeMs", "wholeMs"],
    ["addedFirstMs", "firstMs"],
    ["addedGapP99", "gapP99"],
  ] as const) {
    const [through, without] = [measured[of], direct[of]];
    if (through !== undefined && without !== undefined) result[name] = through - without;
  }
  return result;
}

/** For a table: the median, and the spread if there is one. */
export function withSpread(summary: Summary | undefined, digits: number): string {
  if (summary === undefined) return "";
  const { median, min, max } = summary;
  const written = (value: number): string =>
    value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return min === max ? written(median) : `**${written(median)}** (${written(min)} to ${written(max)})`;
}
