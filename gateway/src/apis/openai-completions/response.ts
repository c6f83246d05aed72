import { type Usage, sumOf, usageOf } from "../../ollama/usage.ts";
import type { ApiError } from "../../errors.ts";
import type { OllamaEvent, OllamaLogprob } from "../../ollama/types.ts";
import { dataEvent } from "../../lib/sse.ts";
import { contentLogprobs, END_OF_STREAM, FINGERPRINT, newIdentity } from "../openai-chat/response.ts";
import type { StreamingResponse, BufferedResponse } from "../adapter.ts";

function finishReason(event: OllamaEvent): "stop" | "length" {
  return event.done_reason === "length" ? "length" : "stop";
}

/** Log probabilities in the older format, with the text offset of each token. */
class Logprobs {
  #offset = 0;

  of(entries: readonly OllamaLogprob[]): object {
    return {
      tokens: entries.map((entry) => entry.token),
      token_logprobs: entries.map((entry) => entry.logprob),
      top_logprobs: entries.map((entry) =>
        Object.fromEntries((entry.top_logprobs ?? []).map((top) => [top.token, top.logprob])),
      ),
      text_offset: entries.map((entry) => {
        const offset = this.#offset;
        this.#offset += entry.token.length;
        return offset;
      }),
    };
  }
}

const NOTHING: Usage = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };

/** Builds a `text_completion` with a choice per prompt. */
export class TextBuilder implements BufferedResponse {
  readonly #identity;
  readonly #choices: object[] = [];
  #usage = NOTHING;
  #text = "";
  #entries: OllamaLogprob[] | undefined;

  constructor(model: string) {
    this.#identity = newIdentity("cmpl", model);
  }

  add(event: OllamaEvent): void {
    this.#text += event.response ?? "";
    const logprobs = contentLogprobs(event);
    if (logprobs.length > 0) (this.#entries ??= []).push(...logprobs);
    if (event.done !== true) return;
    this.#choices.push({
      index: this.#choices.length,
      text: this.#text,
      logprobs: this.#entries ? new Logprobs().of(this.#entries) : null,
      finish_reason: finishReason(event),
    });
    this.#usage = sumOf(this.#usage, usageOf(event));
    this.#text = "";
    this.#entries = undefined;
  }

  build(): string {
    const { id, created, model } = this.#identity;
    return JSON.stringify({
      id,
      object: "text_completion",
      created,
      model,
      choices: this.#choices,
      usage: this.#usage,
      system_fingerprint: FINGERPRINT,
    });
  }
}

/** Writes `text_completion` chunks, prompt by prompt. */
export class TextWriter implements StreamingResponse {
  readonly contentType = "text/event-stream; charset=utf-8";
  readonly #head: string;
  readonly #prompts: number;
  readonly #includeUsage: boolean;
  #index = 0;
  #usage = NOTHING;
  #logprobs = new Logprobs();

  constructor(model: string, { prompts, includeUsage }: { prompts: number; includeUsage: boolean }) {
    const { id, created } = newIdentity("cmpl", model);
    const common = { id, object: "text_completion", created, model, system_fingerprint: FINGERPRINT };
    // Without the closing brace: choices and usage follow.
    this.#head = `data: ${JSON.stringify(common).slice(0, -1)}`;
    this.#prompts = prompts;
    this.#includeUsage = includeUsage;
  }

  write(event: OllamaEvent): string {
    let text = "";
    const entries = contentLogprobs(event);
    if (event.response || entries.length > 0) {
      const logprobs = entries.length > 0 ? JSON.stringify(this.#logprobs.of(entries)) : "null";
      text += this.#chunk(JSON.stringify(event.response ?? ""), logprobs, "null");
    }
    if (event.done !== true) return text;
    text += this.#chunk('""', "null", `"${finishReason(event)}"`);
    this.#usage = sumOf(this.#usage, usageOf(event));
    this.#logprobs = new Logprobs();
    this.#index += 1;
    return this.#index < this.#prompts ? text : text + this.#end();
  }

  fail(error: ApiError): string {
    return dataEvent(JSON.stringify(error.body()));
  }

  #chunk(text: string, logprobs: string, finish: string): string {
    const choice = `{"index":${this.#index},"text":${text},"logprobs":${logprobs},"finish_reason":${finish}}`;
    const usage = this.#includeUsage ? ',"usage":null' : "";
    return `${this.#head},"choices":[${choice}]${usage}}\n\n`;
  }

  #end(): string {
    if (!this.#includeUsage) return END_OF_STREAM;
    return `${this.#head},"choices":[],"usage":${JSON.stringify(this.#usage)}}\n\n${END_OF_STREAM}`;
  }
}
