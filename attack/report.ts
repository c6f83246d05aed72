import { markdownTable } from "../host/markdown-table.ts";
import type { ClientSummary } from "./innocent-client.ts";
import { type Section, sections } from "./scenario.ts";
import type { ContainerSummary } from "./watch.ts";

/** The results of a scenario over all its rounds. */
export interface Outcome {
  readonly section: Section;
  readonly name: string;
  readonly expected: string;
  rounds: number;
  tries: number;
  /** Distinct findings, with their counts. */
  readonly problems: Map<string, number>;
}

export interface CampaignResult {
  /** Machine and software, one line each. */
  readonly machine: readonly string[];
  readonly seed: number;
  readonly minutes: number;
  readonly rounds: number;
  readonly outcomes: readonly Outcome[];
  readonly containers: readonly ContainerSummary[];
  readonly clients: readonly ClientSummary[];
  /** Problems outside all scenarios, such as an interruption. */
  readonly remarks: readonly string[];
}

/** Whether there were no findings and no restarts. */
export function hasHeld({ outcomes, containers, clients, remarks }: CampaignResult): boolean {
  return (
    outcomes.length > 0 &&
    remarks.length === 0 &&
    outcomes.every(({ problems, rounds }) => problems.size === 0 && rounds > 0) &&
    containers.every(({ restarts, outOfMemory }) => restarts + outOfMemory === 0) &&
    clients.every(({ failures, responses }) => failures === 0 && responses > 0)
  );
}

/** The result as Markdown. */
export function report(result: CampaignResult): string {
  const { outcomes, containers, clients, remarks } = result;
  const failed = outcomes.filter(({ problems }) => problems.size > 0);
  const restarts = containers.reduce((sum, container) => sum + container.restarts, 0);
  const tries = outcomes.reduce((sum, outcome) => sum + outcome.tries, 0);
  const number = (value: number) => value.toLocaleString("en-US");
  return [
    ...result.machine.map((line) => `- ${line}`),
    `- ${result.minutes.toFixed(1)} minutes, ${result.rounds} rounds, seed ${result.seed}`,
    "",
    `${number(tries)} requests and connections of ${outcomes.length} scenarios; ` +
      `${failed.length === 0 ? "none" : failed.length} failed. ` +
      `${restarts === 0 ? "No container restarted" : `Containers restarted ${restarts} times`}.`,
    "",
    markdownTable(
      ["§", "attack", "rounds", "tries", "expected", "result"],
      outcomes.map((outcome) => [
        String(outcome.section),
        outcome.name,
        String(outcome.rounds),
        number(outcome.tries),
        outcome.expected,
        outcome.rounds === 0 ? "**not run**" : outcome.problems.size === 0 ? "held" : "**failed**",
      ]),
      [2, 3],
    ),
    "",
    markdownTable(
      ["container", "restarts", "out of memory", "unhealthy", "peak memory (MiB)", "limit (MiB)"],
      containers.map((container) => [
        container.name,
        String(container.restarts),
        String(container.outOfMemory),
        String(container.unhealthy),
        container.peakMiB === undefined ? "unknown" : String(container.peakMiB),
        String(container.limitMiB),
      ]),
      [1, 2, 3, 4, 5],
    ),
    "",
    markdownTable(
      ["client", "responses", "failures", "first byte, median (ms)", "longest (ms)"],
      clients.map(({ name, responses, failures, medianMs, longestMs }) => [
        name,
        number(responses),
        number(failures),
        number(medianMs),
        number(longestMs),
      ]),
      [1, 2, 3, 4],
    ),
    "",
    "The sections are:",
    "",
    ...Object.entries(sections).map(([section, title]) => `${section}. ${title}`),
    ...(failed.length === 0 ? [] : ["", "Failures:", "", ...failed.flatMap(problemLines)]),
    ...(remarks.length === 0 ? [] : ["", ...remarks]),
  ].join("\n");
}

const SHOWN_PROBLEMS = 6;

function problemLines({ section, name, problems }: Outcome): string[] {
  const lines = [...problems].map(
    ([problem, times]) =>
      `  - ${problem.replaceAll(/\s+/g, " ").slice(0, 400)}${times > 1 ? ` (${times} times)` : ""}`,
  );
  const more = lines.length - SHOWN_PROBLEMS;
  return [
    `- §${section} ${name}:`,
    ...lines.slice(0, SHOWN_PROBLEMS),
    ...(more > 0 ? [`  - and ${more} more`] : []),
  ];
}
