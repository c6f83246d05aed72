import type { FastifyRequest } from "fastify";
import type { ApiError } from "../errors.ts";
import type { Log } from "./log.ts";
import { roundToTenths } from "../lib/round-to-tenths.ts";
import { PROBES } from "./probe-routes.ts";

const PARAMETER_NAME = /^[a-z][A-Za-z0-9_]*([.[][A-Za-z0-9_.[\]]*)?$/;

/** Last status logged for each probe route, to log only changes. */
export type ProbeStatuses = Map<string, number>;

/** Logs a finished request: who, from where, what, how long. Never logs headers, and text only with LOG_TEXT. */
export function logRequest(log: Log, request: FastifyRequest, status: number, probes: ProbeStatuses): void {
  const { record } = request;
  const { route } = record;
  if (record.ignoredParameters !== undefined) {
    request.log.debug(
      { request_id: request.id, route, parameters: [...record.ignoredParameters].map(shownName) },
      "ignored parameters",
    );
  }
  log.request(levelOf(request, status, probes), {
    request_id: request.id,
    trace_id: record.trace?.traceId,
    method: request.method,
    // Not the URL, which may contain secrets.
    route: route ?? "unknown",
    status,
    client_ip: record.clientIp,
    key: request.consumer.name || undefined,
    model: record.model,
    stream: record.stream,
    prompt_tokens: record.usage?.prompt_tokens,
    completion_tokens: record.usage?.completion_tokens,
    backend: record.admitted?.backendName,
    queue_ms: maybeRounded(record.admitted?.queueMs),
    load_ms: maybeRounded(record.admitted?.loadMs),
    first_token_ms: maybeRounded(record.firstTokenMs),
    total_ms: roundToTenths(record.elapsedMs()),
    error: record.error?.code,
    origin: originOf(record.error),
    prompt: record.prompt,
    answer: record.responseText,
  });
}

/** A client's parameter name, if it looks like one; anything else may be sensitive. */
function shownName(name: string): string {
  return PARAMETER_NAME.test(name) ? name : "(another)";
}

/** Stack of an unexpected failure, without its message, which may quote a prompt. */
function originOf(error: ApiError | undefined): string | undefined {
  if (error?.code !== "internal_error") return undefined;
  const { stack } = error.cause instanceof Error ? error.cause : error;
  return stack
    ?.split("\n")
    .filter((line) => /^\s+at /.test(line))
    .join("\n");
}

function levelOf(
  { record }: FastifyRequest,
  status: number,
  probes: ProbeStatuses,
): "debug" | "info" | "warn" | "error" {
  if (record.error?.code === "internal_error") return "error";
  const { route = "" } = record;
  // A failed authentication at /metrics is not a probe.
  if (PROBES.has(route) && status > 0 && status !== 401) {
    // Do not log the first success.
    const last = probes.get(route) ?? 200;
    probes.set(route, status);
    if (status === last) return "debug";
  }
  // A failed stream already has status 200.
  if (status >= 500 || (record.error?.status ?? 0) >= 500) return "warn";
  return "info";
}

function maybeRounded(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : roundToTenths(milliseconds);
}
