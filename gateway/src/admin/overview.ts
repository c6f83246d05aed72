import type { AppContext } from "../app-context.ts";
import type { Backend } from "../backends/backend.ts";
import { roundToTenths } from "../lib/round-to-tenths.ts";
import type { OllamaRunning } from "../ollama/types.ts";
import type { Activity, ActiveRequest } from "./activity.ts";
import type { Phase } from "./contract/common.ts";
import type {
  BackendState,
  InstalledModel,
  LoadedModel,
  Overview,
  RequestInFlight,
} from "./contract/overview.ts";
import type { Viewer } from "./viewer.ts";

const MAX_REQUESTS = 200;
const MAX_MODELS = 500;

// A model kept loaded forever expires in centuries.
const FOREVER_MS = 365 * 24 * 3_600_000;

/** The current state, as far as the viewer may see it. */
export function overviewOf(
  { backends, scheduler, config }: Pick<AppContext, "backends" | "scheduler" | "config">,
  activity: Activity,
  viewer: Viewer,
): Overview {
  const now = Date.now();
  const visible = activity.inFlight().filter(({ admitted }) => viewer.sees(admitted.key));
  const installed = installedModels(backends.all, viewer);
  return {
    at: new Date(now).toISOString(),
    draining: scheduler.draining,
    backends: viewer.admin ? backends.all.map((each) => stateOf(each, backends.loader.pending)) : [],
    models: {
      installed: installed.slice(0, MAX_MODELS),
      loaded: backends.all
        .filter(({ alive }) => alive)
        .flatMap((backend) =>
          backend.running
            .filter(({ name }) => viewer.allows(name))
            .map((model) => loadedModel(model, backend, now, viewer)),
        ),
      omitted: Math.max(0, installed.length - MAX_MODELS),
    },
    queue: {
      length: scheduler.waiting,
      limit: config.QUEUE_LIMIT,
      waiting: waitingByKey(visible),
    },
    in_flight: scheduler.inFlight,
    loads: backends.loader.count,
    requests: visible.slice(0, MAX_REQUESTS).map((each) => requestInFlight(each, viewer)),
    requests_omitted: Math.max(0, visible.length - MAX_REQUESTS),
  };
}

function stateOf(backend: Backend, loads: AppContext["backends"]["loader"]["pending"]): BackendState {
  const { name, probeMs, slots, inFlight } = backend;
  return {
    name,
    state: availability(backend),
    probe_ms: probeMs === undefined ? null : roundToTenths(probeMs),
    slots_used: inFlight,
    slots_limit: slots,
    loading: loads.filter((load) => load.backend === backend).map(({ requirement }) => requirement.model),
  };
}

function availability({ alive, isCordoned, breaker }: Backend): BackendState["state"] {
  if (isCordoned) return "draining";
  if (!alive) return "unreachable";
  return breaker.state === "closed" ? "available" : "circuit_open";
}

function installedModels(backends: readonly Backend[], viewer: Viewer): InstalledModel[] {
  const models = new Map<string, InstalledModel>();
  for (const backend of backends) {
    if (!backend.alive) continue;
    for (const { name, size, modified_at: modifiedAt } of backend.installed) {
      if (!viewer.allows(name)) continue;
      let model = models.get(name);
      if (model === undefined) {
        model = { name, size_bytes: validCount(size) ?? 0, modified_at: modifiedAt, backends: [] };
        models.set(name, model);
      }
      if (viewer.admin) model.backends.push(backend.name);
    }
  }
  return [...models.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
}

function loadedModel(model: OllamaRunning, backend: Backend, now: number, viewer: Viewer): LoadedModel {
  const [size, vram] = [validCount(model.size), validCount(model.size_vram)];
  // Converted to the local clock.
  const expires = Date.parse(model.expires_at ?? "") - backend.clockAheadMs;
  const isKnown = Number.isFinite(expires) && Math.abs(expires - now) < FOREVER_MS;
  return {
    name: model.name,
    backend: viewer.backend(backend.name),
    size_bytes: size ?? null,
    vram_bytes: vram ?? null,
    gpu_share: size === undefined || size === 0 || vram === undefined ? null : Math.min(1, vram / size),
    context_tokens: validCount(model.context_length) ?? null,
    expires_at: isKnown ? new Date(expires).toISOString() : null,
  };
}

/** Validates a number reported by Ollama. */
function validCount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function waitingByKey(visible: readonly ActiveRequest[]): Overview["queue"]["waiting"] {
  const counts = new Map<string, number>();
  for (const { admitted } of visible) {
    if (admitted.backend === undefined) counts.set(admitted.key, (counts.get(admitted.key) ?? 0) + 1);
  }
  return [...counts].map(([key, requests]) => ({ key: key || null, priority: null, requests }));
}

function requestInFlight({ id, request, admitted }: ActiveRequest, viewer: Viewer): RequestInFlight {
  const { record } = request;
  const runs = admitted.backend !== undefined;
  return {
    id,
    request_id: request.id,
    trace_id: record.trace?.traceId ?? null,
    route: record.route ?? "unknown",
    key: admitted.key || null,
    model: record.model ?? null,
    backend: viewer.backend(admitted.backend?.name),
    stream: record.stream === true,
    priority: null,
    phase: phaseOf({ request, admitted }),
    started_at: new Date(performance.timeOrigin + record.startedAt).toISOString(),
    age_ms: Math.round(record.elapsedMs()),
    prompt_tokens: runs || record.usage !== undefined ? record.promptTokens : null,
    generated_tokens: record.generatedTokens,
    can_cancel: true,
  };
}

function phaseOf({ request: { record }, admitted }: Omit<ActiveRequest, "id">): Phase {
  if (admitted.backend === undefined) return admitted.waitsForLoad ? "loading" : "queued";
  // Of the current call, as a request can have several.
  return record.firstTokenMs !== undefined && record.estimatedTokens > 0 ? "generating" : "prompt";
}
