import { randomUUID } from "node:crypto";
import { anthropicError } from "../error-formats.ts";
import type { ApiError } from "../../errors.ts";
import type { OllamaEvent, OllamaToolCall } from "../../ollama/types.ts";
import { namedEvent } from "../../lib/sse.ts";
import type { StreamingResponse, BufferedResponse } from "../adapter.ts";

function newId(prefix: "msg" | "toolu"): string {
  return `${prefix}_${randomUUID().replaceAll("-", "")}`;
}

function usageOf(event: OllamaEvent): object {
  return {
    input_tokens: event.prompt_eval_count ?? 0,
    output_tokens: event.eval_count ?? 0,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
  };
}

/** Ollama does not say whether a stop sequence or the model ended the answer. */
function stopReason(event: OllamaEvent, calledTools: boolean): "end_turn" | "max_tokens" | "tool_use" {
  if (event.done_reason === "length") return "max_tokens";
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

/** Builds Anthropic's `message` of the events of a whole answer. */
export class MessageBuilder implements BufferedResponse {
  readonly #id = newId("msg");
  readonly #model: string;
  #thinking = "";
  #text = "";
  readonly #toolUses: object[] = [];
  #last: OllamaEvent = {};

  constructor(model: string) {
    this.#model = model;
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
      model: this.#model,
      content: [
        ...(this.#thinking === "" ? [] : [{ type: "thinking", thinking: this.#thinking, signature: "" }]),
        ...(this.#text === "" ? [] : [{ type: "text", text: this.#text, citations: null }]),
        ...this.#toolUses,
      ],
      stop_reason: stopReason(this.#last, this.#toolUses.length > 0),
      stop_sequence: null,
      usage: usageOf(this.#last),
    });
  }
}

type OpenBlock = "none" | "thinking" | "text";

const EMPTY_BLOCKS = {
  thinking: '{"type":"thinking","thinking":"","signature":""}',
  text: '{"type":"text","text":"","citations":null}',
};

/** Writes a streamed answer as Anthropic's events: one block after the other, each begun, told and ended. */
export class MessageWriter implements StreamingResponse {
  readonly contentType = "text/event-stream; charset=utf-8";
  readonly #model: string;
  #begun = false;
  #open: OpenBlock = "none";
  #index = -1;
  #calledTools = false;

  constructor(model: string) {
    this.#model = model;
  }

  write(event: OllamaEvent): string {
    const { message } = event;
    let text = "";
    if (!this.#begun) text += this.#begin();
    if (message?.thinking) {
      text += this.#switchTo("thinking");
      text += this.#delta(`{"type":"thinking_delta","thinking":${JSON.stringify(message.thinking)}}`);
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
      model: this.#model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      // Ollama counts when it is done; the last event has the counts.
      usage: usageOf({}),
    };
    return namedEvent("message_start", JSON.stringify({ type: "message_start", message }));
  }

  #switchTo(block: "thinking" | "text"): string {
    if (this.#open === block) return "";
    const ended = this.#close();
    this.#open = block;
    return ended + this.#start(EMPTY_BLOCKS[block]);
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
    const delta = { stop_reason: stopReason(event, this.#calledTools), stop_sequence: null };
    return (
      this.#close() +
      namedEvent("message_delta", JSON.stringify({ type: "message_delta", delta, usage: usageOf(event) })) +
      namedEvent("message_stop", '{"type":"message_stop"}')
    );
  }

  #close(): string {
    if (this.#open === "none") return "";
    this.#open = "none";
    return this.#stop();
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
