import { type Measured, type MeasureName, measureNames } from "./measures.ts";

/** The median of several rounds, and their spread. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export type Summaries = Partial<Record<MeasureName, Summary>>;

/** Undefined without values. */
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

/** Summarizes each measure over the rounds, except those that a round lacks. */
export function summarize(rounds: readonly Measured[]): Summaries {
  const summaries: Summaries = {};
  for (const name of measureNames) {
    const values = rounds.flatMap((round) => round[name] ?? []);
    const summary = values.length === rounds.length ? summaryOf(values) : undefined;
    if (summary !== undefined) summaries[name] = summary;
  }
  return summaries;
}

/** Includes what a peer adds to direct access in the same round, because noise that lasts longer than a round is in both. */
export function withAdded(measured: Measured, direct: Measured): Measured {
  const result = { ...measured };
  for (const [name, base] of [
    ["addedBufferedMs", "bufferedMs"],
    ["addedFirstMs", "firstMs"],
    ["addedGapP99", "gapP99"],
  ] as const) {
    const [through, without] = [measured[base], direct[base]];
    if (through !== undefined && without !== undefined) result[name] = through - without;
  }
  return result;
}

/** Formats the median for a table, with the spread if there is one. */
export function withSpread(summary: Summary | undefined, digits: number): string {
  if (summary === undefined) return "";
  const { median, min, max } = summary;
  const format = (value: number): string =>
    value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return min === max ? format(median) : `**${format(median)}** (${format(min)} to ${format(max)})`;
}
