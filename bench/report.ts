import { type MeasureName, measures } from "./measures.ts";
import type { Summaries, Summary } from "./summary.ts";

/** A column of the tables: who, and what was measured of it. */
export interface Column {
  readonly name: string;
  readonly about: string;
  readonly summaries: Summaries;
}

export interface Run {
  readonly columns: readonly Column[];
  readonly machine: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly date: string;
  /** Answers that were not as they have to be. */
  readonly faults: readonly string[];
}

const names = Object.keys(measures) as MeasureName[];

/** The run's results as Markdown. */
export function report(run: Run): string {
  const { columns } = run;
  const rows = names.filter((name) => columns.some(({ summaries }) => summaries[name] !== undefined));
  const heads = columns.map(({ name }) => name);
  const values = rows.map((name) => [
    titleOf(name),
    ...columns.map(({ summaries }) => withSpread(summaries[name], measures[name].digits)),
  ]);
  const [base] = columns.filter(({ name }) => name !== "direct");
  const others = columns.filter((column) => column !== base && column.name !== "direct");
  const ratios = rows.flatMap((name) => {
    const own = base?.summaries[name]?.median;
    if (own === undefined || own === 0 || others.every(({ summaries }) => summaries[name] === undefined))
      return [];
    return [[titleOf(name), ...others.map(({ summaries }) => ratio(summaries[name]?.median, own))]];
  });
  return [
    "# Results",
    "",
    "Written by `npm run bench`; [README.md](README.md) says what each number means. Medians of " +
      `${run.rounds} interleaved rounds, in brackets the lowest and the highest; each load lasted ${run.seconds} s.`,
    "",
    `- ${run.date}`,
    ...run.machine.map((line) => `- ${line}`),
    ...columns.map(({ name, about }) => `- ${name}: ${about}`),
    "",
    table(["", ...heads], values),
    ...(ratios.length === 0
      ? []
      : [
          "",
          `## As multiples of ${base?.name ?? ""}`,
          "",
          table(["", ...others.map(({ name }) => name)], ratios),
        ]),
    "",
    "## Answers that were wrong",
    "",
    ...(run.faults.length === 0
      ? ["None: every answer had status 200, the text expected and its proper end."]
      : run.faults.map((line) => `- ${line}`)),
    "",
  ].join("\n");
}

function titleOf(name: MeasureName): string {
  const { title, unit } = measures[name];
  return unit === "" ? title : `${title} (${unit})`;
}

function withSpread(summary: Summary | undefined, digits: number): string {
  if (summary === undefined) return "";
  const { median, min, max } = summary;
  const [middle, low, high] = [median, min, max].map((value) => written(value, digits));
  return low === high ? String(middle) : `**${String(middle)}** (${String(low)} to ${String(high)})`;
}

function written(value: number, digits: number): string {
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function ratio(value: number | undefined, own: number): string {
  return value === undefined ? "" : (value / own).toPrecision(2).replace(/e\+(\d)$/, "e$1");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, index) => (index === 0 ? "---" : "--:"));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}
