import { z } from "zod";
import { containerState } from "../../engine/docker-cli.ts";
import { formatBytes } from "../../engine/format-bytes.ts";
import { formatTable } from "../../host/format-table.ts";
import type { Finding } from "../../gateway/src/admin/contract/health.ts";
import type { FiringAlert } from "./alerts.ts";
import type { StackContainer } from "./container-logs.ts";
import { formatView, type GatewayView, type LoadedModel, type Queue } from "./gateway-view.ts";
import { formatLogLine, type LogLine } from "./log-line.ts";
import { span } from "./span.ts";

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

/** The current status of a stack. Values that could not be read are replaced by the reason, as text. */
export interface Status {
  readonly stack: string;
  readonly gatewayUrl: string;
  readonly containers: readonly {
    readonly component: string;
    readonly status: string;
    readonly health: string;
    readonly restarts: number;
    readonly startedAt: string;
    /** From the cluster, if it is a pod. */
    readonly node?: string;
    /** What it is waiting for. */
    readonly note?: string;
  }[];
  readonly loadedModels: readonly LoadedModel[] | string;
  readonly queue: Queue | string;
  /** The admin API's view; undefined if the gateway has none. */
  readonly view?: GatewayView | undefined;
  /** The gateway's findings. */
  readonly findings?: readonly Finding[];
  /** Undefined without Prometheus. */
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

/** Parses a response of Ollama's /api/ps. */
export function parseLoaded(text: string): LoadedModel[] {
  return (running.parse(JSON.parse(text)).models ?? []).map(({ name, size, size_vram, expires_at }) => ({
    name,
    bytes: size,
    inGpuBytes: size_vram,
    until: expires_at,
  }));
}

/** Parses the gateway's metrics. */
export function parseQueue(metrics: string): Queue {
  const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(metrics)?.[1] ?? 0);
  return { inFlight: value("gateway_requests_in_flight"), waiting: value("gateway_queue_depth") };
}

export function formatStatus(
  { stack, gatewayUrl, containers, loadedModels, queue, view, findings = [], alerts, lastErrors }: Status,
  now: number,
): string {
  const width = Math.max(0, ...lastErrors.map(({ component }) => component.length));
  const hasNodes = containers.some(({ node }) => node !== undefined);
  return [
    formatTable([
      [`stack ${stack}`, "STATE", "HEALTH", "RESTARTS", "SINCE", ...(hasNodes ? ["NODE"] : [])],
      ...containers.map(({ component, status, health, restarts, startedAt, node = "" }) => [
        component,
        status,
        health === "none" ? "" : health,
        String(restarts),
        ago(startedAt, now),
        ...(hasNodes ? [node] : []),
      ]),
    ]),
    ...containers.flatMap(({ component, note }) => (note === undefined ? [] : [`${component}: ${note}`])),
    "",
    `gateway: ${gatewayUrl}/v1`,
    typeof queue === "string"
      ? `requests: not known (${queue})`
      : `requests: ${String(queue.inFlight)} in flight, ${String(queue.waiting)} waiting`,
    typeof loadedModels === "string"
      ? `loaded models: not known (${loadedModels})`
      : `loaded models: ${loadedModels.map((model) => loaded(model, now)).join(", ") || "none"}`,
    ...(view === undefined ? [] : formatView(view, findings)),
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
