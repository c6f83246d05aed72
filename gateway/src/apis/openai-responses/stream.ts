import type { ApiError } from "../../errors.ts";
import { namedEvent } from "../../lib/sse.ts";
import type { OllamaEvent, OllamaToolCall } from "../../ollama/types.ts";
import type { StreamingResponse } from "../adapter.ts";
import {
  type CallItem,
  type OutputItem,
  type ReasoningOptions,
  type Status,
  callItem,
  endStatus,
  logprobsOf,
  messageItem,
  newItemId,
  reasoningItem,
  reasoningPart,
  summaryPart,
  textPart,
} from "./output-items.ts";
import { type ResponseContext, ResponseObject, reasoningOptionsOf } from "./response-object.ts";

type Kind = "summary" | "reasoning" | "message";

/** Event names for an item's text, and its position in the item. */
const EVENTS = {
  message: { text: "response.output_text", part: "response.content_part", index: "content_index" },
  reasoning: { text: "response.reasoning_text", part: "response.content_part", index: "content_index" },
  summary: {
    text: "response.reasoning_summary_text",
    part: "response.reasoning_summary_part",
    index: "summary_index",
  },
} as const;

/** The item being streamed: its text so far, and the common part of its events. */
interface OpenItem {
  readonly kind: Kind;
  readonly id: string;
  /** Serialized start of its delta events, up to the sequence number. */
  readonly head: string;
  text: string;
  readonly logprobs: object[];
}

/** Writes the stream events of `POST /v1/responses`: start, growth and end of each item and part. */
export class ResponseWriter implements StreamingResponse {
  readonly contentType = "text/event-stream; charset=utf-8";
  readonly hasFinalEvent = true;
  readonly #context: ResponseContext;
  readonly #reasoning: ReasoningOptions;
  readonly #response: ResponseObject;
  readonly #output: OutputItem[] = [];
  #open: OpenItem | undefined;
  #sequence = 0;

  constructor(context: ResponseContext) {
    this.#context = context;
    this.#reasoning = reasoningOptionsOf(context.request);
    this.#response = new ResponseObject(context);
  }

  write(event: OllamaEvent): string {
    const { message } = event;
    let text = this.#begin();
    if (message?.thinking) {
      text += this.#switchTo(this.#reasoning.asSummary ? "summary" : "reasoning");
      text += this.#delta(message.thinking, []);
    }
    const logprobs = logprobsOf(event);
    if (message?.content || logprobs.length > 0) {
      text += this.#switchTo("message") + this.#delta(message?.content ?? "", logprobs);
    }
    for (const call of message?.tool_calls ?? []) text += this.#call(call);
    if (event.done === true) text += this.#end(event);
    return text;
  }

  /** Some clients read the failed response, others only the error. */
  fail(error: ApiError): string {
    const { code, message, param } = error;
    const response = this.#response.failed(this.#output, error);
    return (
      this.#begin() +
      this.#event("response.failed", { response }) +
      this.#event("error", { code, message, param })
    );
  }

  #begin(): string {
    if (this.#sequence > 0) return "";
    const response = this.#response.begun();
    return this.#event("response.created", { response }) + this.#event("response.in_progress", { response });
  }

  #end(event: OllamaEvent): string {
    const status = endStatus(event);
    // A response without calls always has a message, possibly empty.
    const hasMessage =
      this.#open?.kind === "message" || this.#output.some(({ type }) => type !== "reasoning");
    let text = hasMessage ? "" : this.#switchTo("message");
    text += this.#close(status);
    return text + this.#event(`response.${status}`, { response: this.#response.ended(this.#output, event) });
  }

  #switchTo(kind: Kind): string {
    if (this.#open?.kind === kind) return "";
    let text = this.#close("completed");
    const id = newItemId(kind === "message" ? "msg" : "rs");
    const outputIndex = this.#output.length;
    const { text: name, part, index } = EVENTS[kind];
    const type = `${name}.delta`;
    const position = `"item_id":"${id}","output_index":${outputIndex},"${index}":0`;
    const head = `event: ${type}\ndata: {"type":"${type}",${position},"sequence_number":`;
    this.#open = { kind, id, head, text: "", logprobs: [] };
    const item =
      kind === "message"
        ? messageItem(id, "in_progress", [])
        : reasoningItem(id, "in_progress", undefined, this.#reasoning);
    text += this.#event("response.output_item.added", { output_index: outputIndex, item });
    return (
      text +
      this.#event(`${part}.added`, {
        item_id: id,
        output_index: outputIndex,
        [index]: 0,
        part: partOf(kind, "", []),
      })
    );
  }

  #delta(piece: string, logprobs: readonly object[]): string {
    const open = this.#open;
    if (open === undefined) return "";
    open.text += piece;
    let probabilities = "";
    if (open.kind === "message") {
      open.logprobs.push(...logprobs);
      probabilities = `,"logprobs":${logprobs.length === 0 ? "[]" : JSON.stringify(logprobs)}`;
    }
    return `${open.head}${this.#sequence++},"delta":${JSON.stringify(piece)}${probabilities}}\n\n`;
  }

  #close(status: Status): string {
    const open = this.#open;
    if (open === undefined) return "";
    this.#open = undefined;
    const { kind, id, text: full, logprobs } = open;
    const { text: name, part, index } = EVENTS[kind];
    const position = { item_id: id, output_index: this.#output.length, [index]: 0 };
    const item =
      kind === "message"
        ? messageItem(id, status, [textPart(full, logprobs)])
        : reasoningItem(id, status, full, this.#reasoning);
    return (
      this.#event(`${name}.done`, { ...position, text: full, ...(kind === "message" ? { logprobs } : {}) }) +
      this.#event(`${part}.done`, { ...position, part: partOf(kind, full, logprobs) }) +
      this.#itemDone(item)
    );
  }

  #call(call: OllamaToolCall): string {
    let text = this.#close("completed");
    const item = callItem(call, this.#context.tools);
    const position = { item_id: item.id, output_index: this.#output.length };
    const begun = { ...item, status: "in_progress", ...(isCustom(item) ? { input: "" } : { arguments: "" }) };
    text += this.#event("response.output_item.added", { output_index: position.output_index, item: begun });
    if (isCustom(item)) {
      const { input } = item;
      text += this.#event("response.custom_tool_call_input.delta", { ...position, delta: input });
      text += this.#event("response.custom_tool_call_input.done", { ...position, input });
    } else {
      const { name, arguments: args } = item;
      text += this.#event("response.function_call_arguments.delta", { ...position, delta: args });
      text += this.#event("response.function_call_arguments.done", { ...position, name, arguments: args });
    }
    return text + this.#itemDone(item);
  }

  #itemDone(item: OutputItem): string {
    const text = this.#event("response.output_item.done", { output_index: this.#output.length, item });
    this.#output.push(item);
    return text;
  }

  #event(type: string, data: object): string {
    return namedEvent(type, JSON.stringify({ type, sequence_number: this.#sequence++, ...data }));
  }
}

function isCustom(item: CallItem): item is Extract<CallItem, { type: "custom_tool_call" }> {
  return item.type === "custom_tool_call";
}

function partOf(kind: Kind, text: string, logprobs: readonly object[]): object {
  switch (kind) {
    case "message":
      return textPart(text, logprobs);
    case "reasoning":
      return reasoningPart(text);
    case "summary":
      return summaryPart(text);
  }
}
