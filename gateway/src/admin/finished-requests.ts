import type { FastifyRequest } from "fastify";
import { roundToTenths } from "../lib/round-to-tenths.ts";
import { canonicalModelName } from "../ollama/model-name.ts";
import type { FinishedRequest } from "./contract/requests.ts";
import { cutText } from "./cut-text.ts";
import { cutMessage, shownMessage, shownParam } from "./shown-message.ts";
import type { Viewer } from "./viewer.ts";

const KEPT = 500;

// Per prompt and response, if texts are kept: 16 MB for all requests.
const MAX_TEXT = 16_384;

/** What is kept of a finished request: no body or connection. */
type Finished = ReturnType<typeof finishedOf>;

function finishedOf({ record, id, consumer }: FastifyRequest, status: number, totalMs: number) {
  const { admitted, error } = record;
  return {
    serial: record.serial,
    requestId: id,
    traceId: record.trace?.traceId,
    route: record.route ?? "unknown",
    key: consumer.name,
    model: record.model,
    backend: admitted?.backendName,
    stream: record.stream,
    status,
    /** By `performance.now()`. */
    startedAt: record.startedAt,
    totalMs,
    queueMs: admitted?.queueMs ?? 0,
    loadMs: admitted?.loadMs ?? 0,
    heldMs: admitted?.heldMs ?? 0,
    promptMs: record.promptMs,
    generateMs: record.generationMs,
    firstTokenMs: record.firstTokenMs,
    promptTokens: record.usage?.prompt_tokens,
    generatedTokens: record.generatedTokens,
    error: error && {
      code: error.code,
      /** As sent to the client. */
      message: cutMessage(error.message),
      param: error.param,
      shown: shownMessage(error),
    },
    text: record.prompt === undefined ? null : textOf(record.prompt, record.responseText),
  };
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
    this.#ring[this.#written % KEPT] = finishedOf(request, status, totalMs);
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
  const promptText = JSON.stringify(prompt);
  const joinedResponse = [responseText ?? []].flat().join("\n");
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
