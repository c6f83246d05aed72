import * as z from "zod";
import { amount, count, moment, phase, text } from "./common.ts";

export const backend = () =>
  z.object({
    name: text.describe("`host:port`"),
    state: z
      .enum(["available", "unreachable", "draining", "circuit_open"])
      .describe(
        "`draining`: it gets no new requests before a replacement. `circuit_open`: it failed the requests of several " +
          "clients in a row and gets none for a moment.",
      ),
    probe_ms: amount.nullable().describe("Duration of its last probe; null while unreachable."),
    slots_used: count.describe("Requests of this gateway running on it."),
    slots_limit: count.describe("Maximum number of concurrent requests."),
    loading: z.array(text).describe("Models that it is loading."),
  });

const installedModel = () =>
  z.object({
    name: text,
    size_bytes: count,
    modified_at: text,
    backends: z.array(text).describe("Servers that have it; empty for a key without the admin flag."),
  });

export const loadedModel = () =>
  z.object({
    name: text,
    backend: text.nullable().describe("null for a key without the admin flag."),
    size_bytes: count.nullable().describe("Memory in use, including GPU memory."),
    vram_bytes: count.nullable().describe("The part in GPU memory."),
    gpu_share: z.number().min(0).max(1).nullable(),
    context_tokens: count.nullable(),
    expires_at: moment.nullable().describe("When it will be unloaded if unused; null if unknown or never."),
  });

export const requestInFlight = () =>
  z.object({
    id: text.describe("For `/admin/requests/{id}/cancel`; unique across restarts."),
    request_id: text.describe("`x-request-id`, which the client may choose."),
    trace_id: text.nullable(),
    route: text,
    key: text.nullable(),
    model: text.nullable(),
    backend: text.nullable().describe("The server that runs it; null for a key without the admin flag."),
    stream: z.boolean(),
    priority: text.nullable().describe("Reserved: requests have no priorities yet."),
    phase,
    started_at: moment,
    age_ms: count,
    prompt_tokens: count.nullable().describe("Estimated until Ollama reports the count; null while waiting."),
    generated_tokens: count.describe("So far; 0 for a buffered request until it is complete."),
    can_cancel: z.boolean(),
  });

/** `GET /admin/overview`, and the event `overview`. */
export const overview = () =>
  z.object({
    at: moment,
    draining: z.boolean().describe("Whether the gateway is about to stop."),
    backends: z.array(backend()).describe("Empty for a key without the admin flag."),
    models: z.object({
      installed: z.array(installedModel()).describe("Models that the caller may use."),
      loaded: z.array(loadedModel()),
      omitted: count.describe("Installed models beyond the first 500."),
    }),
    queue: z.object({
      length: count.describe("Requests of all keys waiting for a slot or a load."),
      limit: count,
      waiting: z
        .array(z.object({ key: text.nullable(), priority: text.nullable(), requests: count }))
        .describe("By key; a key without the admin flag sees only its own."),
    }),
    in_flight: count.describe("Requests of all keys with a slot."),
    loads: count.describe("Model loads in progress."),
    requests: z
      .array(requestInFlight())
      .describe("Oldest first, at most 200. A key without the admin flag sees only its own."),
    requests_omitted: count,
  });

export type BackendState = z.infer<ReturnType<typeof backend>>;
export type InstalledModel = z.infer<ReturnType<typeof installedModel>>;
export type LoadedModel = z.infer<ReturnType<typeof loadedModel>>;
export type RequestInFlight = z.infer<ReturnType<typeof requestInFlight>>;
export type Overview = z.infer<ReturnType<typeof overview>>;
