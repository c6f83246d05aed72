import { printLine } from "../host/progress.ts";
import type { Client, Endpoint, Scenario } from "./client.ts";

const SCENARIO_TIMEOUT_MS = 60_000;
const REASON_LENGTH = 160;

/** Why a scenario failed; undefined if it passed. */
export type Failure = string | undefined;

export interface Row {
  readonly client: string;
  readonly version: string;
  readonly scenario: string;
  readonly ollama: Failure;
  readonly gateway: Failure;
}

/** Whether a scenario passes with Ollama, but not through the gateway. */
export function isFault({ ollama, gateway }: Row): boolean {
  return ollama === undefined && gateway !== undefined;
}

/** Runs every scenario of every client with Ollama itself and through the gateway. */
export async function runMatrix(
  clients: readonly Client[],
  endpoints: { readonly ollama: Endpoint; readonly gateway: Endpoint },
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { name, version, scenarios, timeoutMs = SCENARIO_TIMEOUT_MS } of clients) {
    printLine(`${name} ${version}`);
    for (const [scenario, run] of Object.entries(scenarios)) {
      const ollama = await failureOf(run, endpoints.ollama, timeoutMs);
      const gateway = await failureOf(run, endpoints.gateway, timeoutMs);
      rows.push({ client: name, version, scenario, ollama, gateway });
    }
  }
  return rows;
}

async function failureOf(run: Scenario, endpoint: Endpoint, timeoutMs: number): Promise<Failure> {
  const { promise: timeout, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new Error(`it takes longer than ${timeoutMs / 1000} s`));
  }, timeoutMs);
  try {
    await Promise.race([run(endpoint), timeout]);
    return undefined;
  } catch (error) {
    return reasonOf(error, endpoint.url);
  } finally {
    clearTimeout(timer);
  }
}

/** The beginning of an error message on one line, without parts that differ between runs. */
function reasonOf(error: unknown, url: string): string {
  const text = (error instanceof Error ? error.message : String(error))
    .replaceAll(url, "")
    .replace(/^Expected values to be strictly (?:deep-)?equal:/, "")
    .replaceAll(/\b(?:call|resp|msg|toolu)_\w+/g, "...")
    .replaceAll(/\s+/g, " ")
    .trim();
  return text.length > REASON_LENGTH
    ? `${text.slice(0, REASON_LENGTH)} ...`
    : text || "an error without a message";
}
