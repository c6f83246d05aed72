import * as z from "zod";
import { ApiError } from "../errors.ts";
import type { OllamaEvent, OllamaGenerateRequest, OllamaLogprob } from "../ollama/types.ts";
import { dataEvent } from "../sse.ts";
import { unsupported } from "../validation.ts";
import { END_OF_STREAM, FINGERPRINT, newAnswer, usageOf } from "./chat-answer.ts";
import {
  extensions,
  ignored,
  isEmptyObject,
  modelName,
  sampling,
  streamOptions,
  tokenLimit,
} from "./chat-schema.ts";
import type { StreamedAnswer, Translated, WholeAnswer } from "./form.ts";
import { applyExtensions, toOllamaOptions } from "./options.ts";

/** The body of `POST /v1/completions`. */
export const completionsSchema = z.strictObject({
  model: modelName,
  prompt: z.union([
    z.string().min(1),
    z.array(z.string()).length(1),
    unsupported("one prompt is taken, as text"),
  ]),
  suffix: z.string().nullish(),
  stream: z.boolean().nullish(),
  stream_options: streamOptions,
  max_tokens: tokenLimit,
  logprobs: z.int().min(0).max(5).nullish(),
  ...sampling,
  ...extensions,
  user: ignored,
  n: unsupported("only one choice is made", (value) => value === 1),
  best_of: unsupported("only one choice is made", (value) => value === 1),
  echo: unsupported("the prompt is not repeated", (value) => value === false),
  logit_bias: unsupported("Ollama has no logit bias", (value) => isEmptyObject(value)),
});

export type CompletionsRequest = z.output<typeof completionsSchema>;

/** A completion in OpenAI's older form: a prompt, not a conversation. @throws ApiError when there is no prompt */
export function translateCompletion(request: CompletionsRequest): Translated {
  return {
    call: { path: "/api/generate", body: toOllamaGenerate(request) },
    subject: "prompt",
    whole: () => new TextBuilder(request.model),
    streamed: () => new TextWriter(request.model, request.stream_options?.include_usage === true),
  };
}

function toOllamaGenerate(request: CompletionsRequest): OllamaGenerateRequest {
  const prompt = [request.prompt].flat()[0];
  if (typeof prompt !== "string" || prompt === "") {
    throw new ApiError("missing_required_parameter", {
      message: "Missing required parameter: 'prompt'.",
      param: "prompt",
    });
  }
  const generate: OllamaGenerateRequest = {
    model: request.model,
    prompt,
    stream: request.stream === true,
    options: toOllamaOptions(request, request.max_tokens),
    truncate: false,
    shift: false,
  };
  applyExtensions(generate, request);
  if (request.suffix) generate.suffix = request.suffix;
  if (request.logprobs != null) {
    generate.logprobs = true;
    generate.top_logprobs = request.logprobs;
  }
  return generate;
}

function finishReason(event: OllamaEvent): "stop" | "length" {
  return event.done_reason === "length" ? "length" : "stop";
}

/** The token probabilities of the older form, which counts from where in the text each token begins. */
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

class TextBuilder implements WholeAnswer {
  readonly #identity;
  #text = "";
  #entries: OllamaLogprob[] | undefined;
  #last: OllamaEvent = {};

  constructor(model: string) {
    this.#identity = newAnswer("cmpl", model);
  }

  add(event: OllamaEvent): void {
    this.#text += event.response ?? "";
    if (event.logprobs?.length) (this.#entries ??= []).push(...event.logprobs);
    this.#last = event;
  }

  build(): string {
    const { id, created, model } = this.#identity;
    const logprobs = this.#entries ? new Logprobs().of(this.#entries) : null;
    const choices = [{ index: 0, text: this.#text, logprobs, finish_reason: finishReason(this.#last) }];
    return JSON.stringify({
      id,
      object: "text_completion",
      created,
      model,
      choices,
      usage: usageOf(this.#last),
      system_fingerprint: FINGERPRINT,
    });
  }
}

class TextWriter implements StreamedAnswer {
  readonly contentType = "text/event-stream; charset=utf-8";
  readonly #head: string;
  readonly #usage: string;
  readonly #logprobs = new Logprobs();

  constructor(model: string, includeUsage: boolean) {
    const { id, created } = newAnswer("cmpl", model);
    const common = { id, object: "text_completion", created, model, system_fingerprint: FINGERPRINT };
    // The closing brace is left out: choices and usage follow.
    this.#head = `data: ${JSON.stringify(common).slice(0, -1)}`;
    this.#usage = includeUsage ? ',"usage":null' : "";
  }

  write(event: OllamaEvent): string {
    let text = "";
    if (event.response || event.logprobs?.length) {
      const logprobs = event.logprobs?.length ? JSON.stringify(this.#logprobs.of(event.logprobs)) : "null";
      text += this.#chunk(JSON.stringify(event.response ?? ""), logprobs, "null");
    }
    if (event.done !== true) return text;
    text += this.#chunk('""', "null", `"${finishReason(event)}"`);
    if (this.#usage !== "") {
      text += `${this.#head},"choices":[],"usage":${JSON.stringify(usageOf(event))}}\n\n`;
    }
    return text + END_OF_STREAM;
  }

  fail(error: ApiError): string {
    return dataEvent(JSON.stringify(error.body()));
  }

  #chunk(text: string, logprobs: string, finish: string): string {
    const choice = `{"index":0,"text":${text},"logprobs":${logprobs},"finish_reason":${finish}}`;
    return `${this.#head},"choices":[${choice}]${this.#usage}}\n\n`;
  }
}
