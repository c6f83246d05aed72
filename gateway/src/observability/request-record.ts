import type { FastifyRequest } from "fastify";
import type { ApiError } from "../errors.ts";
import { estimatePromptTokens } from "../ollama/prompt-size.ts";
import type { IndexedMember } from "../lib/indexed-set.ts";
import type { OllamaEmbeddings, OllamaEvent } from "../ollama/types.ts";
import type { AdmittedRequest } from "../scheduling/admitted-request.ts";
import { type Usage, sumOf, usageOf } from "../ollama/usage.ts";
import { roundToTenths } from "../lib/round-to-tenths.ts";
import type { Trace } from "./trace-context.ts";

const NS_PER_MS = 1e6;

// Limits memory, as a client can send thousands of names.
const MAX_IGNORED = 64;

// Errors that end a request while Ollama works on it. With any other, Ollama has rejected the request or failed.
const ABORTING_ERRORS: ReadonlySet<string | undefined> = new Set([
  "client_left",
  "client_stalled",
  "request_cancelled",
  "first_token_timeout",
  "idle_timeout",
  "answer_timeout",
  "shutting_down",
]);

/** The outcome of one request, for logs and metrics. Contains no texts unless `keepText` is called. */
export class RequestRecord implements IndexedMember {
  /** Its index in the set of requests in flight. */
  index = 0;
  /** Set for requests that the admin API shows. */
  request: FastifyRequest | undefined;
  /** Sequence number in the admin API; 0 if it is not shown there. */
  serial = 0;
  /** By `performance.now()`. */
  readonly startedAt = performance.now();
  /** Pattern of the matched route, undefined for an unknown one. `request.routeOptions` builds an object each time. */
  route: string | undefined;
  /** Trace context, if the request is traced. */
  trace: Trace | undefined;
  /** Read on arrival, as a proxied body detaches the connection. */
  clientIp: string | undefined;
  model: string | undefined;
  stream: boolean | undefined;
  error: ApiError | undefined;
  /** Total of all responses, if the request has several. */
  usage: Usage | undefined;
  /** Set once the request has been admitted. */
  admitted: AdmittedRequest | undefined;
  /** Time to the first token; estimated from Ollama's durations for a buffered response. */
  firstTokenMs: number | undefined;
  /** Prompt processing and generation time as reported by Ollama. */
  promptMs = 0;
  generationMs = 0;
  /** An open-ended stream: a disconnecting client is not an error. */
  isEndless = false;
  /** Names of ignored parameters; undefined for none. */
  ignoredParameters: Set<string> | undefined;
  /** Number of completed responses. */
  responses = 0;
  /** Tokens of the current response, estimated as one per event until Ollama reports the count. */
  estimatedTokens = 0;

  /** The call in progress: its body, its token limit, and its estimated number of prompt tokens. */
  #call: { readonly body: object; readonly maxOutput: number; prompt: number | undefined } | undefined;

  #endedAt: number | undefined;

  /** Prompts, one per response, and the responses; only with LOG_TEXT. */
  #prompts: unknown[] | undefined;
  readonly #texts: string[] = [];

  /** @param bodies Ollama's requests */
  keepText(bodies: readonly object[]): void {
    this.#prompts = bodies.map((body) => {
      const { messages, prompt } = body as { messages?: unknown; prompt?: unknown };
      return messages ?? prompt;
    });
    this.#texts.push("");
  }

  get prompt(): unknown {
    return this.#prompts?.length === 1 ? this.#prompts[0] : this.#prompts;
  }

  get responseText(): string | readonly string[] | undefined {
    return this.#prompts?.length === 1 ? this.#texts[0] : this.#prompts && this.#texts;
  }

  /** Records an ignored parameter. */
  ignore(name: string): void {
    this.ignoredParameters ??= new Set();
    if (this.ignoredParameters.size < MAX_IGNORED) this.ignoredParameters.add(name);
  }

  /** Freezes `elapsedMs`, so that the log, the metrics and the admin API agree. */
  end(): void {
    this.#endedAt = performance.now();
  }

  elapsedMs(): number {
    return (this.#endedAt ?? performance.now()) - this.startedAt;
  }

  /** The phase in which the request ended. */
  get stage(): "queue" | "load" | "prompt" | "answer" {
    if (this.firstTokenMs !== undefined) return "answer";
    if (this.admitted?.ran === true) return "prompt";
    return this.admitted?.waitsForLoad === true ? "load" : "queue";
  }

  /**
   * Records that a call is sent to Ollama.
   *
   * @param maxOutput maximum number of generated tokens
   */
  beginCall(body: object, maxOutput: number): void {
    this.#call = { body, maxOutput, prompt: undefined };
  }

  /** Records an event of the response. */
  note(event: OllamaEvent): void {
    this.estimatedTokens += 1;
    if (this.#prompts !== undefined) {
      this.#texts[this.responses] = (this.#texts[this.responses] ?? "") + textOf(event);
    }
    if (this.firstTokenMs === undefined) {
      const generating = event.done === true ? (event.eval_duration ?? 0) / NS_PER_MS : 0;
      this.firstTokenMs = Math.max(0, this.elapsedMs() - generating);
    }
    if (event.done === true) {
      this.responses += 1;
      this.estimatedTokens = 0;
      this.#call = undefined;
      this.usage = this.usage === undefined ? usageOf(event) : sumOf(this.usage, usageOf(event));
      this.promptMs += (event.prompt_eval_duration ?? 0) / NS_PER_MS;
      this.generationMs += (event.eval_duration ?? 0) / NS_PER_MS;
    }
  }

  /** @param body Ollama's request */
  noteEmbeddings(response: Omit<OllamaEmbeddings, "embeddings">, body: object): void {
    this.#call = undefined;
    const { prompt_eval_count: tokens, total_duration: total = 0, load_duration: load = 0 } = response;
    if (tokens === undefined) {
      this.estimatedTokens = estimatePromptTokens(body);
      return;
    }
    this.usage = { prompt_tokens: tokens, completion_tokens: 0, total_tokens: tokens };
    this.promptMs = (total - load) / NS_PER_MS;
  }

  /** Tokens generated so far; 0 for a buffered response until it is complete. */
  get generatedTokens(): number {
    const estimated = this.firstTokenMs === undefined ? 0 : this.estimatedTokens;
    return (this.usage?.completion_tokens ?? 0) + estimated;
  }

  /** Prompt tokens so far, estimated for the call in progress. */
  get promptTokens(): number {
    return (this.usage?.prompt_tokens ?? 0) + this.#promptOfCall();
  }

  /** Prompt and generated tokens so far, estimated until Ollama reports them. */
  tokens(): number {
    return (this.usage?.total_tokens ?? 0) + this.estimatedTokens + this.#promptOfCall();
  }

  /**
   * Total tokens of a finished request. For an aborted response, the prompt and what was generated.
   *
   * @param msPerToken used to estimate an aborted buffered response, which leaves no other trace
   */
  finalTokens(msPerToken: number): number {
    const tokens = this.tokens();
    if (this.#call === undefined) return tokens;
    const cutShort = ABORTING_ERRORS.has(this.error?.code);
    if (!cutShort && this.estimatedTokens === 0) return tokens - this.#promptOfCall();
    if (!cutShort || this.stream === true) return tokens;
    const generated = Math.floor((this.admitted?.timings.slotMs ?? 0) / msPerToken);
    return tokens + Math.min(this.#call.maxOutput, generated);
  }

  /**
   * Prompt tokens of a finished request.
   *
   * @param total the result of `finalTokens`
   */
  finalPromptTokens(total: number): number {
    // Embeddings for which Ollama reports no count.
    if (this.usage === undefined && this.#call === undefined) return total;
    const counted = this.usage?.prompt_tokens ?? 0;
    const cutShort = this.estimatedTokens > 0 || ABORTING_ERRORS.has(this.error?.code);
    return Math.min(total, cutShort ? counted + this.#promptOfCall() : counted);
  }

  /** Milliseconds per generated token; undefined if nothing was generated. */
  get msPerToken(): number | undefined {
    const generated = this.usage?.completion_tokens ?? 0;
    return generated > 0 && this.generationMs > 0 ? this.generationMs / generated : undefined;
  }

  #promptOfCall(): number {
    if (this.#call === undefined) return 0;
    this.#call.prompt ??= estimatePromptTokens(this.#call.body);
    return this.#call.prompt;
  }

  /** Time spent so far, as the value of a Server-Timing header. */
  serverTiming(): string {
    const { admitted } = this;
    let parts = `queue;dur=${roundToTenths(admitted?.queueMs ?? 0)}, load;dur=${roundToTenths(admitted?.loadMs ?? 0)}`;
    if (this.firstTokenMs !== undefined) parts += `, first-token;dur=${roundToTenths(this.firstTokenMs)}`;
    if (this.usage !== undefined) {
      parts += `, prompt;dur=${roundToTenths(this.promptMs)}, generate;dur=${roundToTenths(this.generationMs)}`;
    }
    return parts;
  }
}

function textOf(event: OllamaEvent): string {
  return event.message?.content ?? event.response ?? "";
}

declare module "fastify" {
  interface FastifyRequest {
    record: RequestRecord;
  }
}
