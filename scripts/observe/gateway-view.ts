import { health, type Finding } from "../../gateway/src/admin/contract/health.ts";
import { overview, type Overview } from "../../gateway/src/admin/contract/overview.ts";
import { span } from "./span.ts";

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

/** The gateway's admin API's view of a stack. */
export interface GatewayView {
  readonly queue: Queue;
  readonly loadedModels: readonly LoadedModel[];
  /** Ollama servers; none for a key without the admin flag. */
  readonly servers: Overview["backends"];
  /** Requests in flight, as far as the key may see them. */
  readonly requests: Overview["requests"];
}

/** Parses a response of /admin/overview. @throws Error if the format is unknown, as from a much newer gateway */
export function parseOverview(text: string): GatewayView {
  const { in_flight: inFlight, queue, models, backends, requests } = overview().parse(JSON.parse(text));
  return {
    queue: { inFlight, waiting: queue.length },
    loadedModels: models.loaded.map(({ name, size_bytes, vram_bytes, expires_at }) => ({
      name,
      bytes: size_bytes ?? 0,
      inGpuBytes: vram_bytes ?? 0,
      until: expires_at ?? "",
    })),
    servers: backends,
    requests,
  };
}

/** Parses the findings in a response of /admin/health. */
export function parseFindings(text: string): Finding[] {
  return health()
    .parse(JSON.parse(text))
    .findings.filter(({ level }) => level !== "ok");
}

const shownRequests = 10;

/** A line for each server, request in flight and finding, for a terminal. */
export function formatView(view: GatewayView, findings: readonly Finding[]): string[] {
  const { servers, requests } = view;
  const more = requests.length - shownRequests;
  return [
    ...servers.map(
      ({ name, state, slots_used: used, slots_limit: limit }) =>
        `server ${name}: ${state.replace("_", " ")}, ${String(used)} of ${String(limit)} slots used`,
    ),
    ...requests.slice(0, shownRequests).map(requestLine),
    ...(more > 0 ? [`  and ${String(more)} more`] : []),
    ...findings.map(
      ({ level, message, advice }) => `${level}: ${message}${advice === null ? "" : ` ${advice}`}`,
    ),
  ];
}

function requestLine({
  id,
  route,
  key,
  model,
  phase,
  age_ms: age,
  generated_tokens: tokens,
}: Overview["requests"][0]): string {
  const who = key === null ? "" : ` of ${key}`;
  const generated = phase === "generating" ? `, ${String(tokens)} tokens` : "";
  return `  ${id} ${route}${who}: ${model ?? "no model"}, ${phase}${generated}, ${span(age)} old`;
}
