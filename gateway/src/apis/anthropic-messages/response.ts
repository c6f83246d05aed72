import { randomUUID } from "node:crypto";
import { anthropicError } from "../error-formats.ts";
import type { ApiError } from "../../errors.ts";
import type { OllamaEvent, OllamaToolCall } from "../../ollama/types.ts";
import { namedEvent } from "../../lib/sse.ts";
import type { BufferedResponse, StreamingResponse } from "../adapter.ts";
import { signThinking } from "./thinking-signature.ts";

/** Parameters that affect the response. */
export interface MessageOptions {
  readonly model: string;
  readonly maxTokens: number;
  /** Omit the thinking, which the client needs only for the next turn. */
  readonly hidesThinking: boolean;
}

type StopReason = "end_turn" | "max_tokens" | "model_context_window_exceeded" | "tool_use";

function newId(prefix: "msg" | "toolu"): string {
  return `${prefix}_${randomUUID().replaceAll("-", "")}`;
}

function usageOf(inputTokens = 0, outputTokens = 0): object {
  return {
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
  };
}

/** Ollama does not report whether the model or a stop sequence ended the response. */
function stopReason(event: OllamaEvent, calledTools: boolean, { maxTokens }: MessageOptions): StopReason {
  if (event.done_reason === "length") {
    // Shorter than the client's limit, so the context is full.
    const isFull = event.eval_count !== undefined && event.eval_count > 0 && event.eval_count < maxTokens;
    return isFull ? "model_context_window_exceeded" : "max_tokens";
  }
  return calledTools ? "tool_use" : "end_turn";
}

function toToolUse(call: OllamaToolCall): { type: string; id: string; name: string; input: unknown } {
  return {
    type: "tool_use",
    id: call.id ?? newId("toolu"),
    name: call.function.name,
    input: call.function.arguments ?? {},
  };
}

/** Builds Anthropic's buffered `message`. */
export class MessageBuilder implements BufferedResponse {
  readonly #id = newId("msg");
  readonly #options: MessageOptions;
  #thinking = "";
  #text = "";
  readonly #toolUses: object[] = [];
  #last: OllamaEvent = {};

  constructor(options: MessageOptions) {
    this.#options = options;
  }

  add(event: OllamaEvent): void {
    const { message } = event;
    this.#thinking += message?.thinking ?? "";
    this.#text += message?.content ?? "";
    if (message?.tool_calls) this.#toolUses.push(...message.tool_calls.map(toToolUse));
    this.#last = event;
  }

  build(): string {
    return JSON.stringify({
      id: this.#id,
      type: "message",
      role: "assistant",
      model: this.#options.model,
      content: [
        ...(this.#thinking === "" ? [] : [this.#thinkingBlock()]),
        ...(this.#text === "" ? [] : [{ type: "text", text: this.#text }]),
        ...this.#toolUses,
      ],
      stop_reason: stopReason(this.#last, this.#toolUses.length > 0, this.#options),
      stop_sequence: null,
      usage: usageOf(this.#last.prompt_eval_count, this.#last.eval_count),
    });
  }

  #thinkingBlock(): object {
    return this.#options.hidesThinking
      ? { type: "thinking", thinking: "", signature: signThinking(this.#thinking) }
      : { type: "thinking", thinking: this.#thinking, signature: signThinking() };
  }
}

/** Builds the response of a token count. */
export class TokenCountBuilder implements BufferedResponse {
  #tokens = 0;

  add({ prompt_eval_count: tokens }: OllamaEvent): void {
    this.#tokens = tokens ?? this.#tokens;
  }

  build(): string {
    return JSON.stringify({ input_tokens: this.#tokens });
  }
}

type OpenBlock = "none" | "thinking" | "text";

const EMPTY_BLOCKS = {
  thinking: '{"type":"thinking","thinking":"","signature":""}',
  text: '{"type":"text","text":""}',
};

/** Writes Anthropic's stream events: each block with start, deltas and stop. */
export class MessageWriter implements StreamingResponse {
  readonly contentType = "text/event-stream; charset=utf-8";
  readonly #options: MessageOptions;
  readonly #promptTokens: number;
  #begun = false;
  #open: OpenBlock = "none";
  #index = -1;
  #calledTools = false;
  #hiddenThinking = "";

  /** @param promptTokens an estimate, as Ollama reports the count only at the end */
  constructor(options: MessageOptions, promptTokens: number) {
    this.#options = options;
    this.#promptTokens = promptTokens;
  }

  write(event: OllamaEvent): string {
    const { message } = event;
    let text = "";
    if (!this.#begun) text += this.#begin();
    if (message?.thinking) {
      text += this.#switchTo("thinking");
      text += this.#think(message.thinking);
    }
    if (message?.content) {
      text += this.#switchTo("text");
      text += this.#delta(`{"type":"text_delta","text":${JSON.stringify(message.content)}}`);
    }
    for (const call of message?.tool_calls ?? []) text += this.#toolUse(call);
    if (event.done === true) text += this.#end(event);
    return text;
  }

  fail(error: ApiError): string {
    return namedEvent("error", JSON.stringify(anthropicError(error)));
  }

  #begin(): string {
    this.#begun = true;
    const message = {
      id: newId("msg"),
      type: "message",
      role: "assistant",
      model: this.#options.model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: usageOf(this.#promptTokens),
    };
    return namedEvent("message_start", JSON.stringify({ type: "message_start", message }));
  }

  #switchTo(block: "thinking" | "text"): string {
    if (this.#open === block) return "";
    const ended = this.#close();
    this.#open = block;
    return ended + this.#start(EMPTY_BLOCKS[block]);
  }

  #think(thinking: string): string {
    if (!this.#options.hidesThinking) {
      return this.#delta(`{"type":"thinking_delta","thinking":${JSON.stringify(thinking)}}`);
    }
    this.#hiddenThinking += thinking;
    // Keeps clients and proxies from closing a silent connection.
    return namedEvent("ping", '{"type":"ping"}');
  }

  #toolUse(call: OllamaToolCall): string {
    this.#calledTools = true;
    const { input, ...block } = toToolUse(call);
    const delta = { type: "input_json_delta", partial_json: JSON.stringify(input) };
    return (
      this.#close() +
      this.#start(JSON.stringify({ ...block, input: {} })) +
      this.#delta(JSON.stringify(delta)) +
      this.#stop()
    );
  }

  #end(event: OllamaEvent): string {
    const stop_reason = stopReason(event, this.#calledTools, this.#options);
    const usage = usageOf(event.prompt_eval_count, event.eval_count);
    const ended = { type: "message_delta", delta: { stop_reason, stop_sequence: null }, usage };
    return (
      this.#close() +
      namedEvent("message_delta", JSON.stringify(ended)) +
      namedEvent("message_stop", '{"type":"message_stop"}')
    );
  }

  #close(): string {
    if (this.#open === "none") return "";
    const signed = this.#open === "thinking" ? this.#signature() : "";
    this.#open = "none";
    return signed + this.#stop();
  }

  #signature(): string {
    const signature = signThinking(this.#hiddenThinking);
    this.#hiddenThinking = "";
    return this.#delta(JSON.stringify({ type: "signature_delta", signature }));
  }

  #start(block: string): string {
    this.#index += 1;
    return namedEvent(
      "content_block_start",
      `{"type":"content_block_start","index":${this.#index},"content_block":${block}}`,
    );
  }

  #delta(delta: string): string {
    return namedEvent(
      "content_block_delta",
      `{"type":"content_block_delta","index":${this.#index},"delta":${delta}}`,
    );
  }

  #stop(): string {
    return namedEvent("content_block_stop", `{"type":"content_block_stop","index":${this.#index}}`);
  }
}
