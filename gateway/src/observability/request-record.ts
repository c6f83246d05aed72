import type { FastifyRequest } from "fastify";
import type { ApiError } from "../errors.ts";
import { estimatePromptTokens } from "../ollama/prompt-size.ts";
import type { IndexedMember } from "../lib/indexed-set.ts";
import type { OllamaEmbeddings, OllamaEvent } from "../ollama/types.ts";
import type { AdmittedRequest } from "../scheduling/admitted-request.ts";
import { type Usage, sumOf, usageOf } from "../ollama/usage.ts";
import { rounded } from "./milliseconds.ts";
import type { Trace } from "./trace-context.ts";

const NS_PER_MS = 1e6;

// More names than this say nothing more, and a client may send thousands.
const MAX_IGNORED = 64;

// Errors that end a request which Ollama is working on. With any other, it has refused the request or failed.
const CUT_SHORT: ReadonlySet<string | undefined> = new Set([
  "client_left",
  "client_stalled",
  "request_cancelled",
  "first_token_timeout",
  "idle_timeout",
  "answer_timeout",
  "shutting_down",
]);

/** The outcome of one request, for its log line and its metrics. Holds no texts unless `keepText` is called. */
export class RequestRecord implements IndexedMember {
  /** Its place among those in flight. */
  index = 0;
  /** Set for those that the admin API shows. */
  request: FastifyRequest | undefined;
  /** Its number among those that the admin API shows; 0: it is not one of them. */
  serial = 0;
  /** Ms since this process began. */
  readonly startedAt = performance.now();
  /** The request's place in a trace, when it has one. */
  trace: Trace | undefined;
  /** Read when the request arrives: a body that is passed on takes its connection with it. */
  clientIp: string | undefined;
  model: string | undefined;
  stream: boolean | undefined;
  error: ApiError | undefined;
  /** Of all answers, when the request asks for several. */
  usage: Usage | undefined;
  /** Set once a request has been let in. */
  admitted: AdmittedRequest | undefined;
  /** How long the client waited for the first token; estimated for a buffered response from Ollama's own durations. */
  firstTokenMs: number | undefined;
  /** How long Ollama read the prompt and generated, as it says itself. */
  promptMs = 0;
  generationMs = 0;
  /** It ends when its client leaves, which is no error. */
  isEndless = false;
  /** Parameters that were left out, by name; undefined: none. */
  ignoredParameters: Set<string> | undefined;
  /** Answers that are complete. */
  responses = 0;
  /** Tokens of the answer for which Ollama has not said yet how many: an event of it is about one. */
  estimatedTokens = 0;

  /** The body of the call that Ollama works on, the most tokens it may generate, and about how many it has to read. */
  #call: { readonly body: object; readonly maxOutput: number; prompt: number | undefined } | undefined;

  #endedAt: number | undefined;

  /** The prompts, one for each response, and the responses; kept only when the configuration says so. */
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

  get answer(): string | readonly string[] | undefined {
    return this.#prompts?.length === 1 ? this.#texts[0] : this.#prompts && this.#texts;
  }

  /** A parameter of the request is left out. */
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

  /** What the request was waiting for when it ended. */
  get stage(): "queue" | "load" | "prompt" | "answer" {
    if (this.firstTokenMs !== undefined) return "answer";
    if (this.admitted?.ran === true) return "prompt";
    return this.admitted?.waitsForLoad === true ? "load" : "queue";
  }

  /** A call is sent to Ollama. @param maxOutput how many tokens it may generate */
  beginCall(body: object, maxOutput: number): void {
    this.#call = { body, maxOutput, prompt: undefined };
  }

  /** Takes note of an event of the answer, after it was read. */
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
  noteEmbeddings(answer: Omit<OllamaEmbeddings, "embeddings">, body: object): void {
    this.#call = undefined;
    const { prompt_eval_count: tokens, total_duration: total = 0, load_duration: load = 0 } = answer;
    if (tokens === undefined) {
      this.estimatedTokens = estimatePromptTokens(body);
      return;
    }
    this.usage = { prompt_tokens: tokens, completion_tokens: 0, total_tokens: tokens };
    this.promptMs = (total - load) / NS_PER_MS;
  }

  /** Tokens generated so far; of a buffered response, none until it is complete. */
  get generatedTokens(): number {
    const estimated = this.firstTokenMs === undefined ? 0 : this.estimatedTokens;
    return (this.usage?.completion_tokens ?? 0) + estimated;
  }

  /** Tokens read so far, those of the call that Ollama works on estimated. */
  get promptTokens(): number {
    return (this.usage?.prompt_tokens ?? 0) + this.#promptOfCall();
  }

  /** Tokens read and generated so far. Until Ollama has counted them, they are estimated. */
  tokens(): number {
    return (this.usage?.total_tokens ?? 0) + this.estimatedTokens + this.#promptOfCall();
  }

  /**
   * Tokens that the request took in the end: of an answer that was cut short, its prompt and what was generated.
   *
   * @param msPerToken how fast answers are generated: one that was to come as a whole leaves no other trace
   */
  finalTokens(msPerToken: number): number {
    const tokens = this.tokens();
    if (this.#call === undefined) return tokens;
    const cutShort = CUT_SHORT.has(this.error?.code);
    if (!cutShort && this.estimatedTokens === 0) return tokens - this.#promptOfCall();
    if (!cutShort || this.stream === true) return tokens;
    const generated = Math.floor((this.admitted?.timings.heldMs ?? 0) / msPerToken);
    return tokens + Math.min(this.#call.maxOutput, generated);
  }

  /** How many of those the prompts took. @param total what `finalTokens` returned */
  finalPromptTokens(total: number): number {
    // Embeddings of which Ollama says no number.
    if (this.usage === undefined && this.#call === undefined) return total;
    const counted = this.usage?.prompt_tokens ?? 0;
    const cutShort = this.estimatedTokens > 0 || CUT_SHORT.has(this.error?.code);
    return Math.min(total, cutShort ? counted + this.#promptOfCall() : counted);
  }

  /** How long a token of its answers took, ms; undefined: nothing was generated. */
  get msPerToken(): number | undefined {
    const generated = this.usage?.completion_tokens ?? 0;
    return generated > 0 && this.generationMs > 0 ? this.generationMs / generated : undefined;
  }

  #promptOfCall(): number {
    if (this.#call === undefined) return 0;
    this.#call.prompt ??= estimatePromptTokens(this.#call.body);
    return this.#call.prompt;
  }

  /** Where the time went so far, as the header of this name has it. */
  serverTiming(): string {
    const { admitted } = this;
    let parts = `queue;dur=${rounded(admitted?.queueMs ?? 0)}, load;dur=${rounded(admitted?.loadMs ?? 0)}`;
    if (this.firstTokenMs !== undefined) parts += `, first-token;dur=${rounded(this.firstTokenMs)}`;
    if (this.usage !== undefined) {
      parts += `, prompt;dur=${rounded(this.promptMs)}, generate;dur=${rounded(this.generationMs)}`;
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
