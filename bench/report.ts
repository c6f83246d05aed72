import { type MeasureName, measureNames, measures, titleOf } from "./measures.ts";
import { table } from "./results.ts";
import { type Summaries, withSpread } from "./summary.ts";

/** A column of the tables: a peer and its results. */
export interface Column {
  readonly name: string;
  readonly description: string;
  readonly summaries: Summaries;
}

export interface Run {
  readonly columns: readonly Column[];
  readonly rounds: number;
  readonly seconds: number;
  /** Descriptions of incorrect responses. */
  readonly faults: readonly string[];
}

/** The run's results as Markdown. */
export function report({ columns, rounds, seconds, faults }: Run): string {
  const rows = measureNames.filter((name) => columns.some(({ summaries }) => summaries[name] !== undefined));
  const values = rows.map((name) => [
    titleOf(name),
    ...columns.map(({ summaries }) => withSpread(summaries[name], measures[name].digits)),
  ]);
  const ratios = ratioTable(columns, rows);
  return [
    ...columns.map(({ name, description }) => `- ${name}: ${description}`),
    "",
    rounds === 1
      ? `One round; each load lasted ${seconds} s.`
      : `Medians of ${rounds} interleaved rounds, in brackets the lowest and the highest; each load lasted ${seconds} s.`,
    "",
    table(["", ...columns.map(({ name }) => name)], values),
    ...(ratios === undefined ? [] : ["", ratios]),
    "",
    ...(faults.length === 0
      ? ["Every response had status 200, the expected text and a proper end."]
      : ["Incorrect responses:", "", ...faults.map((line) => `- ${line}`)]),
  ].join("\n");
}

/** The peers as multiples of the first column: of this gateway, unless it was left out. */
function ratioTable(columns: readonly Column[], rows: readonly MeasureName[]): string | undefined {
  const [base, ...others] = columns.filter(({ name }) => name !== "direct");
  if (base === undefined || others.length === 0) return undefined;
  const lines = rows.flatMap((name) => {
    const own = base.summaries[name]?.median;
    // A count has no meaningful multiple, nor has a difference that can be negative.
    if (own === undefined || own <= 0 || measures[name].unit === "" || name === "addedGapP99") return [];
    return [[titleOf(name), ...others.map(({ summaries }) => ratio(summaries[name]?.median, own))]];
  });
  return [`As multiples of ${base.name}:`, "", table(["", ...others.map(({ name }) => name)], lines)].join(
    "\n",
  );
}

function ratio(value: number | undefined, own: number): string {
  if (value === undefined) return "";
  return (value / own).toLocaleString("en-US", { maximumSignificantDigits: 2 });
}
