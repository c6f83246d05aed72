import type { ApiError } from "../errors.ts";
import type { OllamaEmbeddings, OllamaEvent } from "../ollama/types.ts";
import type { Ticket } from "../scheduling/admitted-request.ts";
import { type Usage, sumOf, usageOf } from "../ollama/usage.ts";
import { rounded } from "./milliseconds.ts";
import type { Trace } from "./trace-context.ts";

const NS_PER_MS = 1e6;

// What a token of a text usually has.
const BYTES_PER_TOKEN = 4;

/** What came of one request, for its log line and its metrics. Holds no prompt and no answer unless told to. */
export class RequestRecord {
  /** Ms since this process began. */
  readonly startedAt = performance.now();
  /** The request's place in a trace, when it has one. */
  trace: Trace | undefined;
  model: string | undefined;
  stream: boolean | undefined;
  error: ApiError | undefined;
  /** Of all answers, when the request asks for several. */
  usage: Usage | undefined;
  /** Set once a request has been let in. */
  admitted: Ticket | undefined;
  /** How long the client waited for the first token; estimated for a whole answer by what Ollama says of itself. */
  firstTokenMs: number | undefined;
  /** How long Ollama read the prompt and generated, as it says itself. */
  promptMs = 0;
  generationMs = 0;
  /** Answers that are complete. */
  answers = 0;
  /** Tokens of the answer for which Ollama has not said yet how many: an event of it is about one. */
  estimatedTokens = 0;

  /** What was asked, one for each answer, and what was answered; kept only when the configuration says so. */
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

  elapsedMs(): number {
    return performance.now() - this.startedAt;
  }

  /** What the request was waiting for when it ended. */
  get stage(): "queue" | "load" | "prompt" | "answer" {
    if (this.firstTokenMs !== undefined) return "answer";
    if (this.admitted?.ran === true) return "prompt";
    return this.admitted?.waitsForLoad === true ? "load" : "queue";
  }

  /** Takes note of an event of the answer, after it was read. */
  note(event: OllamaEvent): void {
    this.estimatedTokens += 1;
    if (this.#prompts !== undefined) {
      this.#texts[this.answers] = (this.#texts[this.answers] ?? "") + textOf(event);
    }
    if (this.firstTokenMs === undefined) {
      const generating = event.done === true ? (event.eval_duration ?? 0) / NS_PER_MS : 0;
      this.firstTokenMs = Math.max(0, this.elapsedMs() - generating);
    }
    if (event.done === true) {
      this.answers += 1;
      this.estimatedTokens = 0;
      this.usage = this.usage === undefined ? usageOf(event) : sumOf(this.usage, usageOf(event));
      this.promptMs += (event.prompt_eval_duration ?? 0) / NS_PER_MS;
      this.generationMs += (event.eval_duration ?? 0) / NS_PER_MS;
    }
  }

  /** @param body Ollama's request */
  noteEmbeddings(answer: OllamaEmbeddings, body: { readonly prompt?: unknown }): void {
    const { prompt_eval_count: tokens, total_duration: total = 0, load_duration: load = 0 } = answer;
    if (tokens === undefined) {
      const bytes = typeof body.prompt === "string" ? Buffer.byteLength(body.prompt) : 0;
      this.estimatedTokens = Math.ceil(bytes / BYTES_PER_TOKEN);
      return;
    }
    this.usage = { prompt_tokens: tokens, completion_tokens: 0, total_tokens: tokens };
    this.promptMs = (total - load) / NS_PER_MS;
  }

  /** Tokens read and generated. Of an answer that was cut short only what came is known. */
  tokens(): number {
    return (this.usage?.total_tokens ?? 0) + this.estimatedTokens;
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
