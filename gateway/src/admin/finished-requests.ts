import type { FastifyRequest } from "fastify";
import type { ErrorCode } from "../errors.ts";
import { roundToTenths } from "../lib/round-to-tenths.ts";
import { canonicalModelName } from "../ollama/model-name.ts";
import type { FinishedRequest } from "./contract/requests.ts";
import { cutText } from "./cut-text.ts";
import { type ShownMessage, cutMessage, shownMessage, shownParam } from "./shown-message.ts";
import type { Viewer } from "./viewer.ts";

const KEPT = 500;

// Per prompt and response, if texts are kept: 16 MB for all requests.
const MAX_TEXT = 16_384;

/**
 * What is kept of a finished request: no body or connection. Instances are reused, as objects that live for 500
 * requests would burden the garbage collector.
 */
class Finished {
  serial = 0;
  requestId = "";
  traceId: string | undefined;
  route = "";
  key = "";
  model: string | undefined;
  backend: string | undefined;
  stream: boolean | undefined;
  status = 0;
  /** By `performance.now()`. */
  startedAt = 0;
  totalMs = 0;
  queueMs = 0;
  loadMs = 0;
  heldMs = 0;
  promptMs = 0;
  generateMs = 0;
  firstTokenMs: number | undefined;
  promptTokens: number | undefined;
  generatedTokens = 0;
  error: KeptError | undefined;
  text: FinishedRequest["text"] = null;

  set({ record, id, consumer }: FastifyRequest, status: number, totalMs: number): void {
    const { admitted, error } = record;
    this.serial = record.serial;
    this.requestId = id;
    this.traceId = record.trace?.traceId;
    this.route = record.route ?? "unknown";
    this.key = consumer.name;
    this.model = record.model;
    this.backend = admitted?.backendName;
    this.stream = record.stream;
    this.status = status;
    this.startedAt = record.startedAt;
    this.totalMs = totalMs;
    this.queueMs = admitted?.queueMs ?? 0;
    this.loadMs = admitted?.loadMs ?? 0;
    this.heldMs = admitted?.heldMs ?? 0;
    this.promptMs = record.promptMs;
    this.generateMs = record.generationMs;
    this.firstTokenMs = record.firstTokenMs;
    this.promptTokens = record.usage?.prompt_tokens;
    this.generatedTokens = record.generatedTokens;
    this.error = error && {
      code: error.code,
      message: cutMessage(error.message),
      param: error.param,
      shown: shownMessage(error),
    };
    this.text = record.prompt === undefined ? null : textOf(record.prompt, record.responseText);
  }
}

interface KeptError {
  readonly code: ErrorCode;
  /** As sent to the client. */
  readonly message: string;
  readonly param: string | null;
  readonly shown: ShownMessage;
}

/** Selects finished requests. */
export interface FinishedFilter {
  readonly key: string | undefined;
  readonly model: string | undefined;
  readonly status: string | undefined;
  readonly limit: number;
}

/** A ring buffer of the last finished requests. */
export class FinishedRequests {
  /** Grows up to its capacity. */
  readonly #ring: Finished[] = [];
  readonly #idOf: (serial: number) => string;
  readonly #showsText: boolean;
  #written = 0;

  /**
   * @param idOf builds the ID in the admin API
   * @param showsText whether LOG_TEXT keeps texts
   */
  constructor(idOf: (serial: number) => string, showsText: boolean) {
    this.#idOf = idOf;
    this.#showsText = showsText;
  }

  /** Total number of finished requests. */
  get written(): number {
    return this.#written;
  }

  add(request: FastifyRequest, status: number, totalMs: number): void {
    const index = this.#written % KEPT;
    const slot = (this.#ring[index] ??= new Finished());
    slot.set(request, status, totalMs);
    this.#written += 1;
  }

  /** Newest first. */
  list(viewer: Viewer, { key, model, status, limit }: FinishedFilter): FinishedRequest[] {
    const canonical = model === undefined ? undefined : canonicalModelName(model);
    const matches: FinishedRequest[] = [];
    for (const each of this.#newestFirst()) {
      if (matches.length >= limit) break;
      if (!viewer.sees(each.key) || (key !== undefined && each.key !== key)) continue;
      if (canonical !== undefined && canonicalModelName(each.model ?? "") !== canonical) continue;
      if (status !== undefined && !hasStatus(each, status)) continue;
      matches.push(this.#show(each, viewer));
    }
    return matches;
  }

  /** Number of kept requests that the viewer may see. */
  countFor(viewer: Viewer): number {
    let count = 0;
    for (const each of this.#newestFirst()) if (viewer.sees(each.key)) count += 1;
    return count;
  }

  /**
   * Requests finished since `written` had the given value, oldest first.
   *
   * @param max maximum number; the oldest are skipped
   */
  since(
    written: number,
    viewer: Viewer,
    max: number,
  ): { readonly shown: FinishedRequest[]; readonly skipped: number } {
    const visible: Finished[] = [];
    let left = this.#written - written;
    for (const each of this.#newestFirst()) {
      if (left <= 0) break;
      left -= 1;
      if (viewer.sees(each.key)) visible.push(each);
    }
    const shown = visible.slice(0, max).reverse();
    // Requests that the ring no longer holds cannot be attributed to a key.
    return { shown: shown.map((each) => this.#show(each, viewer)), skipped: visible.length - shown.length };
  }

  *#newestFirst(): Generator<Finished> {
    for (let n = 1; n <= Math.min(this.#written, KEPT); n += 1) {
      const each = this.#ring[(this.#written - n) % KEPT];
      if (each !== undefined) yield each;
    }
  }

  #show(each: Finished, viewer: Viewer): FinishedRequest {
    const isOwn = each.key !== "" && each.key === viewer.consumer.name;
    const { error, text, generateMs, generatedTokens } = each;
    const showsAll = isOwn || this.#showsText;
    return {
      id: this.#idOf(each.serial),
      request_id: each.requestId,
      trace_id: each.traceId ?? null,
      route: each.route,
      key: each.key || null,
      model: each.model ?? null,
      backend: viewer.backend(each.backend),
      stream: each.stream ?? null,
      status: each.status,
      started_at: new Date(performance.timeOrigin + each.startedAt).toISOString(),
      total_ms: rounded(each.totalMs),
      phases: phasesOf(each),
      first_token_ms: each.firstTokenMs === undefined ? null : rounded(each.firstTokenMs),
      prompt_tokens: each.promptTokens ?? null,
      generated_tokens: each.promptTokens === undefined && generatedTokens === 0 ? null : generatedTokens,
      tokens_per_second:
        generateMs > 0 && generatedTokens > 0 ? rounded(generatedTokens / (generateMs / 1000)) : null,
      error: error
        ? {
            code: error.code,
            message: showsAll ? error.message : error.shown.message,
            message_hidden: !showsAll && error.shown.isHidden,
            param: showsAll ? error.param : shownParam(error.param),
          }
        : null,
      text,
    };
  }
}

/** Ollama does not report the phases of an aborted request. */
function phasesOf(each: Finished): FinishedRequest["phases"] {
  const { queueMs, loadMs, heldMs, promptMs, generateMs, firstTokenMs, totalMs } = each;
  const waited = queueMs + loadMs;
  const isReported = promptMs > 0 || generateMs > 0;
  const generating =
    isReported || firstTokenMs === undefined ? generateMs : Math.max(0, totalMs - firstTokenMs);
  const reading = isReported ? promptMs : Math.max(0, Math.min(heldMs, totalMs - waited) - generating);
  return {
    queue_ms: rounded(queueMs),
    load_ms: rounded(loadMs),
    prompt_ms: rounded(reading),
    generate_ms: rounded(generating),
  };
}

function hasStatus({ status, error }: Finished, filter: string): boolean {
  if (filter === "ok") return error === undefined && status < 400;
  if (filter === "error") return error !== undefined || status >= 400;
  return /^\d/.test(filter) ? status === Number(filter) : error?.code === filter;
}

function textOf(
  prompt: unknown,
  responseText: string | readonly string[] | undefined,
): FinishedRequest["text"] {
  const [promptText, joinedResponse] = [
    JSON.stringify(prompt),
    typeof responseText === "string" ? responseText : (responseText ?? []).join("\n"),
  ];
  return {
    prompt: cutText(promptText, MAX_TEXT),
    response: cutText(joinedResponse, MAX_TEXT),
    cut: promptText.length > MAX_TEXT || joinedResponse.length > MAX_TEXT,
  };
}

/** Ollama may report negative times. */
function rounded(value: number): number {
  return roundToTenths(Math.max(0, value));
}
