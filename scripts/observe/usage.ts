import { z } from "zod";
import type { Kubectl } from "../../cluster/kubectl.ts";
import { listPods } from "../../cluster/pods.ts";
import { containerState, queryEngine } from "../../engine/docker-cli.ts";
import { byKeyAndModel, sumOfAmounts, type UsageRow } from "../../gateway/src/usage/usage-rows.ts";
import { formatTable } from "../../host/format-table.ts";

const row = z.object({
  day: z.string(),
  key: z.string(),
  model: z.string(),
  requests: z.number(),
  promptTokens: z.number(),
  generatedTokens: z.number(),
  loadSeconds: z.number(),
});
const response = z.object({
  own: z.array(row),
  others: z.array(z.object({ name: z.string(), rows: z.array(row) })),
});

/** The usage reported by a gateway's container: its own, and what its replicas wrote last. */
export interface CountedUsage {
  readonly container: string;
  /** The output of its control client. */
  readonly text: string;
}

const client = ["node", "/app/control.cjs", "usage"] as const;

/** A month's usage, from those of the gateways' containers that run. @throws EngineError */
export async function usageOfContainers(names: readonly string[], month: string): Promise<CountedUsage[]> {
  const reports = await Promise.all(
    names.map(async (container) => {
      if ((await containerState(container))?.status !== "running") return [];
      return [{ container, text: await queryEngine(["exec", container, ...client, month]) }];
    }),
  );
  return reports.flat();
}

/** The same in a cluster. @throws ClusterError */
export async function usageOfPods(kubectl: Kubectl, month: string): Promise<CountedUsage[]> {
  const pods = (await listPods(kubectl, "app=gateway")).filter(({ running }) => running.includes("gateway"));
  return await Promise.all(
    pods.map(async ({ name: container }) => ({
      container,
      text: await kubectl.run(["exec", container, "--container=gateway", "--", ...client, month]),
    })),
  );
}

/**
 * Merges the rows of all replicas: as reported by a running replica itself, else as last written by it.
 */
export function mergeUsage(reports: readonly CountedUsage[]): UsageRow[] {
  const byReplica = new Map<string, readonly UsageRow[]>();
  const parsed = reports.map(({ container, text }) => ({ container, ...response.parse(JSON.parse(text)) }));
  for (const { others } of parsed) for (const { name, rows } of others) byReplica.set(name, rows);
  for (const { container, own } of parsed) byReplica.set(container, own);
  return [...byReplica.values()].flat();
}

type UsageFormat = "table" | "csv" | "json";

const columns = ["key", "model", "requests", "promptTokens", "generatedTokens", "loadSeconds"] as const;

/** One line for each key and model; CSV and JSON for programs, a table with a sum for people. */
export function formatUsage(month: string, all: readonly UsageRow[], format: UsageFormat): string {
  const rows = byKeyAndModel(all).map((each) => ({ ...each, loadSeconds: rounded(each.loadSeconds) }));
  if (format === "json") return JSON.stringify({ month, rows }, null, 2);
  const lines = rows.map((each) => columns.map((column) => String(each[column])));
  if (format === "csv") {
    const head = ["month", "key", "model", "requests", "prompt_tokens", "generated_tokens", "load_seconds"];
    return [head, ...lines.map((line) => [month, ...line])]
      .map((line) => line.map(quoted).join(","))
      .join("\n");
  }
  if (rows.length === 0) return `no requests in ${month}`;
  const { requests, promptTokens, generatedTokens, loadSeconds } = sumOfAmounts(rows);
  return formatTable([
    ["KEY", "MODEL", "REQUESTS", "PROMPT TOKENS", "GENERATED TOKENS", "LOAD SECONDS"],
    ...lines.map(([key = "", ...rest]) => [key === "" ? "(no key)" : key, ...rest]),
    ["all", "", ...[requests, promptTokens, generatedTokens, rounded(loadSeconds)].map(String)],
  ]);
}

function rounded(seconds: number): number {
  return Math.round(seconds * 10) / 10;
}

/** Quotes a CSV field (RFC 4180), and protects names that a spreadsheet would evaluate. */
function quoted(text: string): string {
  const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
