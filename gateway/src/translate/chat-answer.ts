import { randomUUID } from "node:crypto";
import type { OllamaChatEvent, OllamaToolCall } from "../ollama/types.ts";

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

/** What identifies one answer in everything that is sent of it. */
export interface AnswerIdentity {
  readonly id: string;
  /** Unix time in seconds. */
  readonly created: number;
  readonly model: string;
}

const FINGERPRINT = "fp_ollama";

export function newAnswer(model: string): AnswerIdentity {
  return { id: `chatcmpl-${randomUUID()}`, created: Math.floor(Date.now() / 1000), model };
}

export function usageOf(event: OllamaChatEvent): Usage {
  // Ollama leaves out counts that are zero.
  const prompt = event.prompt_eval_count ?? 0;
  const completion = event.eval_count ?? 0;
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

function finishReason(event: OllamaChatEvent, calledTools: boolean): "stop" | "length" | "tool_calls" {
  if (event.done_reason === "length") return "length";
  return calledTools ? "tool_calls" : "stop";
}

function toToolCall(call: OllamaToolCall): object {
  return {
    id: call.id ?? `call_${randomUUID().replaceAll("-", "")}`,
    type: "function",
    function: { name: call.function.name, arguments: JSON.stringify(call.function.arguments ?? {}) },
  };
}

/** Builds a `chat.completion` of the events of a whole answer. */
export class CompletionBuilder {
  readonly #identity: AnswerIdentity;
  #content = "";
  #thinking = "";
  #toolCalls: object[] = [];
  #logprobs: unknown[] | undefined;
  #last: OllamaChatEvent = {};

  constructor(identity: AnswerIdentity) {
    this.#identity = identity;
  }

  add(event: OllamaChatEvent): void {
    const { message } = event;
    this.#content += message?.content ?? "";
    this.#thinking += message?.thinking ?? "";
    if (message?.tool_calls) this.#toolCalls.push(...message.tool_calls.map(toToolCall));
    if (event.logprobs) (this.#logprobs ??= []).push(...event.logprobs);
    this.#last = event;
  }

  build(): object {
    const called = this.#toolCalls.length > 0;
    return {
      id: this.#identity.id,
      object: "chat.completion",
      created: this.#identity.created,
      model: this.#identity.model,
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            content: called && this.#content === "" ? null : this.#content,
            refusal: null,
            ...(this.#thinking === "" ? {} : { reasoning_content: this.#thinking }),
            ...(called ? { tool_calls: this.#toolCalls } : {}),
          },
          logprobs: this.#logprobs ? { content: this.#logprobs, refusal: null } : null,
          finish_reason: finishReason(this.#last, called),
        },
      ],
      usage: usageOf(this.#last),
      system_fingerprint: FINGERPRINT,
    };
  }
}

/**
 * Writes the events of a streamed answer as the data of `chat.completion.chunk` events. The parts that are the same
 * in every chunk are written once: a token costs the quoting of its text.
 */
export class ChunkWriter {
  readonly #head: string;
  readonly #usage: string;
  readonly #includeUsage: boolean;
  #begun = false;
  #toolCalls = 0;

  constructor(identity: AnswerIdentity, includeUsage: boolean) {
    const { id, created, model } = identity;
    const common = { id, object: "chat.completion.chunk", created, model, system_fingerprint: FINGERPRINT };
    // The closing brace is left out: choices and usage follow.
    this.#head = JSON.stringify(common).slice(0, -1);
    this.#includeUsage = includeUsage;
    this.#usage = includeUsage ? ',"usage":null' : "";
  }

  /** The data of the events to send for one event of Ollama: none, one or several, in order. */
  write(event: OllamaChatEvent): string[] {
    const { message } = event;
    const chunks: string[] = [];
    if (!this.#begun) {
      this.#begun = true;
      chunks.push(this.#chunk('{"role":"assistant","content":"","refusal":null}', "null", "null"));
    }
    if (message?.thinking) {
      chunks.push(this.#chunk(`{"reasoning_content":${JSON.stringify(message.thinking)}}`, "null", "null"));
    }
    if (message?.content || event.logprobs) {
      const logprobs = event.logprobs ? JSON.stringify({ content: event.logprobs, refusal: null }) : "null";
      chunks.push(this.#chunk(`{"content":${JSON.stringify(message?.content ?? "")}}`, logprobs, "null"));
    }
    if (message?.tool_calls?.length) {
      const calls = message.tool_calls.map((call) => ({ index: this.#toolCalls++, ...toToolCall(call) }));
      chunks.push(this.#chunk(JSON.stringify({ tool_calls: calls }), "null", "null"));
    }
    if (event.done === true) {
      chunks.push(this.#chunk("{}", "null", `"${finishReason(event, this.#toolCalls > 0)}"`));
      if (this.#includeUsage) {
        chunks.push(`${this.#head},"choices":[],"usage":${JSON.stringify(usageOf(event))}}`);
      }
    }
    return chunks;
  }

  #chunk(delta: string, logprobs: string, finish: string): string {
    const choice = `{"index":0,"delta":${delta},"logprobs":${logprobs},"finish_reason":${finish}}`;
    return `${this.#head},"choices":[${choice}]${this.#usage}}`;
  }
}
