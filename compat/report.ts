import { formatTable } from "../host/format-table.ts";
import { markdownTable } from "../host/markdown-table.ts";
import { isFault, type Failure, type Row } from "./matrix.ts";

/** The rows as a table for a terminal, with the reasons of failures and a summary. */
export function textReport(rows: readonly Row[]): string {
  const verdict = (failure: Failure) => (failure === undefined ? "pass" : "FAIL");
  const table = formatTable([
    ["CLIENT", "VERSION", "SCENARIO", "OLLAMA", "GATEWAY"],
    ...rows.map((row) => [row.client, row.version, row.scenario, verdict(row.ollama), verdict(row.gateway)]),
  ]);
  const failures = rows.flatMap((row) =>
    (["ollama", "gateway"] as const).flatMap((side) =>
      row[side] === undefined ? [] : [`${row.client}, ${row.scenario}, ${side}: ${row[side]}`],
    ),
  );
  return [table, "", ...failures, ...(failures.length > 0 ? [""] : []), summary(rows)].join("\n");
}

/** The content of docs/compatibility.md. */
export function markdownReport(rows: readonly Row[], versions: { ollama: string; date: string }): string {
  const sections = Map.groupBy(rows, ({ client, version }) => `${client} (${version})`);
  return [
    "# Compatibility",
    "",
    `What clients can do with Ollama ${versions.ollama}, and with the gateway in front of the same Ollama. \`npm run compat -- --write\` wrote this page on ${versions.date}. The command fails if anything works with Ollama but not through the gateway.`,
    "",
    "The model is scripted (`compat/model/weights.ts`). It calls the tools that it knows, thinks, detects images, continues a conversation and fills in schemas, always with the same words. A row passes if the client reports no error and ends its own loop with exactly the text that the model must have generated. In that loop, the client sends back tool results, thinking and earlier turns as it received them.",
    "",
    "The rows cover ordinary use. For a few requests, Ollama silently ignores parts that it does not support, such as more than one choice or an image for a model without vision. The gateway rejects these requests on purpose: [gateway.md](gateway.md) lists them.",
    "",
    summary(rows),
    "",
    ...[...sections].flatMap(([title, sectionRows]) => [
      `## ${title}`,
      "",
      markdownTable(
        ["scenario", "Ollama", "gateway"],
        sectionRows.map(({ scenario, ollama, gateway }) => [scenario, cell(ollama), cell(gateway)]),
      ),
      "",
    ]),
  ].join("\n");
}

function summary(rows: readonly Row[]): string {
  const passed = (side: "ollama" | "gateway") => rows.filter((row) => row[side] === undefined).length;
  const faults = rows.filter(isFault).map(({ client, scenario }) => `${client}: ${scenario}`);
  return `Of ${rows.length} rows, ${passed("ollama")} pass with Ollama and ${passed("gateway")} with the gateway. ${
    faults.length === 0
      ? "No row passes with Ollama and fails with the gateway."
      : `Rows that pass with Ollama and fail with the gateway: ${faults.join("; ")}.`
  }`;
}

function cell(failure: Failure): string {
  return failure === undefined ? "passes" : `fails: ${escape(failure)}`;
}

/** Escapes Markdown, except for the separator of a table's cells. */
function escape(text: string): string {
  return text.replaceAll(/[\\`*_{}[\]<>#]/g, "\\$&");
}
