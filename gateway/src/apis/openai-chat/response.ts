import { randomUUID } from "node:crypto";
import type { ApiError } from "../../errors.ts";
import type { OllamaEvent, OllamaLogprob, OllamaToolCall } from "../../ollama/types.ts";
import { dataEvent } from "../../lib/sse.ts";
import { usageOf } from "../../ollama/usage.ts";
import type { StreamingResponse, BufferedResponse } from "../adapter.ts";

/** Fields repeated in every part of a response. */
interface ResponseIdentity {
  readonly id: string;
  /** Unix time in seconds. */
  readonly created: number;
  readonly model: string;
}

export const FINGERPRINT = "fp_ollama";

/** End of a stream in OpenAI's format. */
export const END_OF_STREAM = dataEvent("[DONE]");

export function newIdentity(prefix: "chatcmpl" | "cmpl", model: string): ResponseIdentity {
  return { id: `${prefix}-${randomUUID()}`, created: Math.floor(Date.now() / 1000), model };
}

function finishReason(event: OllamaEvent, calledTools: boolean): "stop" | "length" | "tool_calls" {
  if (event.done_reason === "length") return "length";
  return calledTools ? "tool_calls" : "stop";
}

export function newCallId(): string {
  return `call_${randomUUID().replaceAll("-", "")}`;
}

function toToolCall(call: OllamaToolCall): object {
  return {
    id: call.id ?? newCallId(),
    type: "function",
    function: { name: call.function.name, arguments: JSON.stringify(call.function.arguments ?? {}) },
  };
}

/** The log probabilities of the content. Ollama sends those of the thinking as well, for which OpenAI has no place. */
export function contentLogprobs(event: OllamaEvent): readonly OllamaLogprob[] {
  const isThinking = Boolean(event.thinking) || Boolean(event.message?.thinking);
  const hasContent = Boolean(event.response) || Boolean(event.message?.content);
  return isThinking && !hasContent ? [] : (event.logprobs ?? []);
}

/** OpenAI's clients rely on fields that Ollama omits when empty. */
export function toLogprob({ token, logprob, bytes, top_logprobs: top }: OllamaLogprob): object {
  return {
    token,
    logprob,
    bytes: bytes ?? null,
    top_logprobs: (top ?? []).map((each) => ({
      token: each.token,
      logprob: each.logprob,
      bytes: each.bytes ?? null,
    })),
  };
}

/** Builds OpenAI's buffered `chat.completion`. */
export class CompletionBuilder implements BufferedResponse {
  readonly #identity: ResponseIdentity;
  #content = "";
  #thinking = "";
  #toolCalls: object[] = [];
  #logprobs: object[] | undefined;
  #last: OllamaEvent = {};

  constructor(model: string) {
    this.#identity = newIdentity("chatcmpl", model);
  }

  add(event: OllamaEvent): void {
    const { message } = event;
    this.#content += message?.content ?? "";
    this.#thinking += message?.thinking ?? "";
    if (message?.tool_calls) this.#toolCalls.push(...message.tool_calls.map(toToolCall));
    const logprobs = contentLogprobs(event);
    if (logprobs.length > 0) (this.#logprobs ??= []).push(...logprobs.map(toLogprob));
    this.#last = event;
  }

  /** Joins serialized parts: serializing the nested object at once takes twice as long. */
  build(): string {
    const { id, created, model } = this.#identity;
    const called = this.#toolCalls.length > 0;
    const content = called && this.#content === "" ? "null" : JSON.stringify(this.#content);
    const thinking = this.#thinking === "" ? "" : `,${membersOf(reasoningIn(this.#thinking))}`;
    const calls = called ? `,"tool_calls":${JSON.stringify(this.#toolCalls)}` : "";
    const message = `{"role":"assistant","content":${content},"refusal":null${thinking}${calls}}`;
    const logprobs = this.#logprobs ? JSON.stringify({ content: this.#logprobs, refusal: null }) : "null";
    const finish = finishReason(this.#last, called);
    const choice = `{"index":0,"message":${message},"logprobs":${logprobs},"finish_reason":"${finish}"}`;
    return (
      `{"id":"${id}","object":"chat.completion","created":${created},"model":${JSON.stringify(model)},` +
      `"choices":[${choice}],"usage":${JSON.stringify(usageOf(this.#last))},"system_fingerprint":"${FINGERPRINT}"}`
    );
  }
}

/**
 * Writes `chat.completion.chunk` events. The constant parts are serialized once, so that a token only costs quoting its
 * text.
 */
export class ChunkWriter implements StreamingResponse {
  readonly contentType = "text/event-stream; charset=utf-8";
  readonly #head: string;
  readonly #usage: string;
  /** Serialized parts around a token's text. */
  readonly #beforeText: string;
  readonly #afterText: string;
  readonly #includeUsage: boolean;
  #begun = false;
  #toolCalls = 0;

  constructor(model: string, includeUsage: boolean) {
    const { id, created } = newIdentity("chatcmpl", model);
    const common = { id, object: "chat.completion.chunk", created, model, system_fingerprint: FINGERPRINT };
    // Without the closing brace: choices and usage follow.
    this.#head = `data: ${JSON.stringify(common).slice(0, -1)}`;
    this.#includeUsage = includeUsage;
    this.#usage = includeUsage ? ',"usage":null' : "";
    this.#beforeText = `${this.#head},"choices":[{"index":0,"delta":{"content":`;
    this.#afterText = `},"logprobs":null,"finish_reason":null}]${this.#usage}}\n\n`;
  }

  write(event: OllamaEvent): string {
    const { message } = event;
    let text = "";
    if (!this.#begun) {
      this.#begun = true;
      text += this.#chunk('{"role":"assistant","content":"","refusal":null}', "null", "null");
    }
    if (message?.thinking) {
      text += this.#chunk(JSON.stringify(reasoningIn(message.thinking)), "null", "null");
    }
    const entries = contentLogprobs(event);
    if (entries.length > 0) {
      const logprobs = JSON.stringify({ content: entries.map(toLogprob), refusal: null });
      text += this.#chunk(`{"content":${JSON.stringify(message?.content ?? "")}}`, logprobs, "null");
    } else if (message?.content) {
      text += this.#beforeText + JSON.stringify(message.content) + this.#afterText;
    }
    if (message?.tool_calls?.length) {
      const calls = message.tool_calls.map((call) => ({ index: this.#toolCalls++, ...toToolCall(call) }));
      text += this.#chunk(JSON.stringify({ tool_calls: calls }), "null", "null");
    }
    if (event.done === true) {
      text += this.#chunk("{}", "null", `"${finishReason(event, this.#toolCalls > 0)}"`);
      if (this.#includeUsage) {
        text += `${this.#head},"choices":[],"usage":${JSON.stringify(usageOf(event))}}\n\n`;
      }
      text += END_OF_STREAM;
    }
    return text;
  }

  fail(error: ApiError): string {
    return dataEvent(JSON.stringify(error.body()));
  }

  #chunk(delta: string, logprobs: string, finish: string): string {
    const choice = `{"index":0,"delta":${delta},"logprobs":${logprobs},"finish_reason":${finish}}`;
    return `${this.#head},"choices":[${choice}]${this.#usage}}\n\n`;
  }
}

/** Under the names used by most APIs of this kind and by Ollama's own. */
function reasoningIn(thinking: string): object {
  return { reasoning_content: thinking, reasoning: thinking };
}

/** The members of a serialized object, without its braces. */
function membersOf(object: object): string {
  return JSON.stringify(object).slice(1, -1);
}
