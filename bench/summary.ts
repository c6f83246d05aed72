import { type Measured, type MeasureName, measures } from "./measures.ts";

/** What several rounds gave: the middle one, and how far apart they were. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export type Summaries = Partial<Record<MeasureName, Summary>>;

/** Each measure over the rounds; one that some round lacks is left out. */
export function summarize(rounds: readonly Measured[]): Summaries {
  const summaries: Summaries = {};
  for (const name of Object.keys(measures) as MeasureName[]) {
    const values = rounds.flatMap((round) => round[name] ?? []).toSorted((left, right) => left - right);
    if (values.length < rounds.length || values.length === 0) continue;
    const at = (share: number): number => values[Math.floor(share * (values.length - 1))] ?? NaN;
    summaries[name] = {
      median: (at(0.5) + (values.at(-1 - Math.floor(0.5 * (values.length - 1))) ?? NaN)) / 2,
      min: at(0),
      max: at(1),
    };
  }
  return summaries;
}

/** What a peer adds to a direct answer, in the same round: noise that lasts longer than a round is in both. */
export function added(measured: Measured, direct: Measured): Measured {
  const difference = (name: MeasureName): number | undefined => {
    const [with_, without] = [measured[name], direct[name]];
    return with_ === undefined || without === undefined ? undefined : with_ - without;
  };
  const pairs = [
    ["addedWholeMs", difference("wholeMs")],
    ["addedFirstMs", difference("firstMs")],
    ["addedGapP99", difference("gapP99")],
  ] as const;
  return { ...measured, ...Object.fromEntries(pairs.filter(([, value]) => value !== undefined)) };
}
