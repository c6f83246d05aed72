import { z } from "zod";
import { containerState } from "../../engine/docker-cli.ts";
import { formatBytes } from "../../engine/format-bytes.ts";
import { formatTable } from "../../host/format-table.ts";
import type { FiringAlert } from "./alerts.ts";
import type { StackContainer } from "./container-logs.ts";
import { formatLogLine, type LogLine } from "./log-line.ts";

const running = z.object({
  models: z
    .array(
      z.object({
        name: z.string(),
        size: z.number().default(0),
        size_vram: z.number().default(0),
        expires_at: z.string().default(""),
      }),
    )
    .nullish(),
});

export interface LoadedModel {
  readonly name: string;
  readonly bytes: number;
  readonly inGpuBytes: number;
  readonly until: string;
}

export interface Queue {
  readonly inFlight: number;
  readonly waiting: number;
}

/** What a stack does now. What could not be found out is the reason, as text. */
export interface Status {
  readonly stack: string;
  readonly gatewayUrl: string;
  readonly containers: readonly {
    readonly component: string;
    readonly status: string;
    readonly health: string;
    readonly restarts: number;
    readonly startedAt: string;
  }[];
  readonly loadedModels: readonly LoadedModel[] | string;
  readonly queue: Queue | string;
  /** Undefined: the stack has no Prometheus. */
  readonly alerts?: readonly FiringAlert[] | string | undefined;
  readonly lastErrors: readonly LogLine[];
}

export async function statesOf(containers: readonly StackContainer[]): Promise<Status["containers"]> {
  const states = await Promise.all(
    containers.map(async ({ name, component }) => ({ component, state: await containerState(name) })),
  );
  return states.flatMap(({ component, state }) => {
    if (state === undefined) return [];
    const { status, health, restarts, startedAt } = state;
    return [{ component, status, health, restarts, startedAt }];
  });
}

/** From what Ollama's /api/ps responds. */
export function parseLoaded(text: string): LoadedModel[] {
  return (running.parse(JSON.parse(text)).models ?? []).map(({ name, size, size_vram, expires_at }) => ({
    name,
    bytes: size,
    inGpuBytes: size_vram,
    until: expires_at,
  }));
}

/** From the gateway's metrics. */
export function parseQueue(metrics: string): Queue {
  const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(metrics)?.[1] ?? 0);
  return { inFlight: value("gateway_requests_in_flight"), waiting: value("gateway_queue_depth") };
}

export function formatStatus(
  { stack, gatewayUrl, containers, loadedModels, queue, alerts, lastErrors }: Status,
  now: number,
): string {
  const width = Math.max(0, ...lastErrors.map(({ component }) => component.length));
  return [
    formatTable([
      [`stack ${stack}`, "STATE", "HEALTH", "RESTARTS", "SINCE"],
      ...containers.map(({ component, status, health, restarts, startedAt }) => [
        component,
        status,
        health === "none" ? "" : health,
        String(restarts),
        ago(startedAt, now),
      ]),
    ]),
    "",
    `gateway: ${gatewayUrl}/v1`,
    typeof queue === "string"
      ? `requests: not known (${queue})`
      : `requests: ${String(queue.inFlight)} in flight, ${String(queue.waiting)} waiting`,
    typeof loadedModels === "string"
      ? `loaded models: not known (${loadedModels})`
      : `loaded models: ${loadedModels.map((model) => loaded(model, now)).join(", ") || "none"}`,
    ...alertLines(alerts, now),
    lastErrors.length === 0 ? "errors in the last 24 hours: none" : "last errors:",
    ...lastErrors.map((line) => `  ${line.at.slice(0, 10)} ${formatLogLine(line, width)}`),
  ].join("\n");
}

function alertLines(alerts: Status["alerts"], now: number): string[] {
  if (alerts === undefined) return [];
  if (typeof alerts === "string") return [`alerts: not known (${alerts})`];
  if (alerts.length === 0) return ["alerts: none"];
  return [
    "alerts:",
    ...alerts.map(
      ({ name, severity, summary, runbook, since }) =>
        `  ${severity}  ${name}, for ${ago(since, now)}: ${summary} (${runbook})`,
    ),
  ];
}

function loaded({ name, bytes, inGpuBytes, until }: LoadedModel, now: number): string {
  const left = Date.parse(until) - now;
  const stays = Number.isNaN(left) || left > 365 * 24 * 3_600_000 ? "" : `, for ${span(left)} more`;
  const where = inGpuBytes === 0 ? "" : `, ${formatBytes(inGpuBytes)} of it on GPUs`;
  return `${name} (${formatBytes(bytes)}${where}${stays})`;
}

function ago(time: string, now: number): string {
  const ms = now - Date.parse(time);
  return Number.isNaN(ms) || Date.parse(time) <= 0 ? "never" : span(ms);
}

/** 93,000 ms as "1 min". */
export function span(ms: number): string {
  const minutes = Math.floor(Math.max(0, ms) / 60_000);
  if (minutes < 1) return `${String(Math.floor(Math.max(0, ms) / 1000))} s`;
  if (minutes < 120) return `${String(minutes)} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${String(hours)} h` : `${String(Math.floor(hours / 24))} days`;
}
