import { randomUUID } from "node:crypto";
import type { OllamaEvent, OllamaToolCall } from "../../ollama/types.ts";
import { newCallId, toLogprob } from "../openai-chat/response.ts";
import type { BufferedResponse } from "../adapter.ts";
import type { ResponsesRequest } from "./schema.ts";

export type OutputItem = ReasoningItem | MessageItem | FunctionCallItem;

interface ReasoningItem {
  readonly id: string;
  readonly type: "reasoning";
  readonly summary: readonly [];
  readonly content: readonly object[];
  readonly status: Status;
}

interface MessageItem {
  readonly id: string;
  readonly type: "message";
  readonly status: Status;
  readonly role: "assistant";
  readonly content: readonly object[];
}

interface FunctionCallItem {
  readonly id: string;
  readonly type: "function_call";
  readonly status: Status;
  readonly call_id: string;
  readonly name: string;
  readonly arguments: string;
}

export type Status = "in_progress" | "completed" | "incomplete";

export function newItemId(prefix: "resp" | "rs" | "msg" | "fc"): string {
  return `${prefix}_${randomUUID().replaceAll("-", "")}`;
}

export function reasoningItem(id: string, status: Status, content: readonly object[]): ReasoningItem {
  return { id, type: "reasoning", summary: [], content, status };
}

export function messageItem(id: string, status: Status, content: readonly object[]): MessageItem {
  return { id, type: "message", status, role: "assistant", content };
}

export function functionCallItem({
  id,
  function: { name, arguments: given },
}: OllamaToolCall): FunctionCallItem {
  return {
    id: newItemId("fc"),
    type: "function_call",
    status: "completed",
    call_id: id ?? newCallId(),
    name,
    arguments: JSON.stringify(given ?? {}),
  };
}

export function reasoningPart(text: string): object {
  return { type: "reasoning_text", text };
}

export function textPart(text: string, logprobs: readonly object[]): object {
  return { type: "output_text", annotations: [], logprobs, text };
}

export function endStatus(last: OllamaEvent): "completed" | "incomplete" {
  return last.done_reason === "length" ? "incomplete" : "completed";
}

/** What is said of an answer, whatever its state: what was asked for, and what there is of it. */
export class ResponseFrame {
  readonly #id = newItemId("resp");
  readonly #createdAt = Math.floor(Date.now() / 1000);
  readonly #request: ResponsesRequest;

  constructor(request: ResponsesRequest) {
    this.#request = request;
  }

  begun(): object {
    return this.#response("in_progress", [], null);
  }

  ended(output: readonly OutputItem[], last: OllamaEvent): object {
    const input = last.prompt_eval_count ?? 0;
    const generated = last.eval_count ?? 0;
    return this.#response(endStatus(last), output, {
      input_tokens: input,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: generated,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: input + generated,
    });
  }

  #response(status: Status, output: readonly OutputItem[], usage: object | null): object {
    const request = this.#request;
    return {
      id: this.#id,
      object: "response",
      created_at: this.#createdAt,
      status,
      background: false,
      error: null,
      incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
      instructions: request.instructions ?? null,
      max_output_tokens: request.max_output_tokens ?? null,
      metadata: request.metadata ?? {},
      model: request.model,
      output,
      parallel_tool_calls: request.parallel_tool_calls ?? true,
      previous_response_id: null,
      reasoning: { effort: request.reasoning?.effort ?? null, summary: null },
      service_tier: "default",
      store: false,
      temperature: request.temperature ?? null,
      text: { format: request.text?.format ?? { type: "text" } },
      tool_choice: request.tool_choice ?? "auto",
      tools: request.tools ?? [],
      top_p: request.top_p ?? null,
      truncation: request.truncation ?? "disabled",
      usage,
    };
  }
}

/** Builds a `response` of the events of a whole answer. */
export class ResponseBuilder implements BufferedResponse {
  readonly #frame: ResponseFrame;
  #thinking = "";
  #text = "";
  readonly #logprobs: object[] = [];
  readonly #calls: OutputItem[] = [];
  #last: OllamaEvent = {};

  constructor(request: ResponsesRequest) {
    this.#frame = new ResponseFrame(request);
  }

  add(event: OllamaEvent): void {
    const { message } = event;
    this.#thinking += message?.thinking ?? "";
    this.#text += message?.content ?? "";
    if (message?.tool_calls) this.#calls.push(...message.tool_calls.map(functionCallItem));
    if (event.logprobs) this.#logprobs.push(...event.logprobs.map(toLogprob));
    this.#last = event;
  }

  build(): string {
    const output: OutputItem[] = [];
    if (this.#thinking !== "") {
      output.push(reasoningItem(newItemId("rs"), "completed", [reasoningPart(this.#thinking)]));
    }
    // An answer without calls is a message, be it empty.
    if (this.#text !== "" || this.#calls.length === 0) {
      const content = [textPart(this.#text, this.#logprobs)];
      output.push(messageItem(newItemId("msg"), endStatus(this.#last), content));
    }
    output.push(...this.#calls);
    return JSON.stringify(this.#frame.ended(output, this.#last));
  }
}
