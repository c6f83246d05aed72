import type { ApiError } from "../../errors.ts";
import type { OllamaEvent, OllamaLogprob, OllamaToolCall } from "../../ollama/types.ts";
import { namedEvent } from "../../lib/sse.ts";
import { toLogprob } from "../openai-chat/response.ts";
import type { StreamingResponse } from "../adapter.ts";
import {
  type OutputItem,
  ResponseFrame,
  type Status,
  endStatus,
  functionCallItem,
  messageItem,
  newItemId,
  reasoningItem,
  reasoningPart,
  textPart,
} from "./response.ts";
import type { ResponsesRequest } from "./schema.ts";

/** The item that is being told: its text so far, and what every event about it says. */
interface OpenItem {
  readonly kind: "reasoning" | "message";
  readonly id: string;
  /** The beginning of its deltas, up to the sequence number. */
  readonly where: string;
  text: string;
  readonly logprobs: object[];
}

/** Writes a streamed answer as the events of `POST /v1/responses`: each item and part is begun, told and ended. */
export class ResponseWriter implements StreamingResponse {
  readonly contentType = "text/event-stream; charset=utf-8";
  readonly #frame: ResponseFrame;
  readonly #output: OutputItem[] = [];
  #open: OpenItem | undefined;
  #sequence = 0;

  constructor(request: ResponsesRequest) {
    this.#frame = new ResponseFrame(request);
  }

  write(event: OllamaEvent): string {
    const { message } = event;
    let text = "";
    if (this.#sequence === 0) {
      const response = this.#frame.begun();
      text += this.#event("response.created", { response });
      text += this.#event("response.in_progress", { response });
    }
    if (message?.thinking) text += this.#switchTo("reasoning") + this.#delta(message.thinking, []);
    if (message?.content || event.logprobs?.length) {
      text += this.#switchTo("message") + this.#delta(message?.content ?? "", event.logprobs ?? []);
    }
    for (const call of message?.tool_calls ?? []) text += this.#functionCall(call);
    if (event.done === true) text += this.#end(event);
    return text;
  }

  fail({ code, message, param }: ApiError): string {
    return this.#event("error", { code, message, param });
  }

  #end(event: OllamaEvent): string {
    const status = endStatus(event);
    // An answer without calls is a message, be it empty.
    let text = this.#open === undefined && this.#output.length === 0 ? this.#switchTo("message") : "";
    text += this.#close(status);
    return text + this.#event(`response.${status}`, { response: this.#frame.ended(this.#output, event) });
  }

  #switchTo(kind: OpenItem["kind"]): string {
    if (this.#open?.kind === kind) return "";
    let text = this.#close("completed");
    const id = newItemId(kind === "message" ? "msg" : "rs");
    const index = this.#output.length;
    const type = kind === "message" ? "response.output_text.delta" : "response.reasoning_text.delta";
    const place = `"item_id":"${id}","output_index":${index},"content_index":0`;
    const where = `event: ${type}\ndata: {"type":"${type}",${place},"sequence_number":`;
    this.#open = { kind, id, where, text: "", logprobs: [] };
    const [item, part] =
      kind === "message"
        ? [messageItem(id, "in_progress", []), textPart("", [])]
        : [reasoningItem(id, "in_progress", []), reasoningPart("")];
    text += this.#event("response.output_item.added", { output_index: index, item });
    return (
      text +
      this.#event("response.content_part.added", { item_id: id, output_index: index, content_index: 0, part })
    );
  }

  #delta(piece: string, logprobs: readonly OllamaLogprob[]): string {
    const open = this.#open;
    if (open === undefined) return "";
    open.text += piece;
    let probabilities = "";
    if (open.kind === "message") {
      const entries = logprobs.map(toLogprob);
      open.logprobs.push(...entries);
      probabilities = `,"logprobs":${entries.length === 0 ? "[]" : JSON.stringify(entries)}`;
    }
    return `${open.where}${this.#sequence++},"delta":${JSON.stringify(piece)}${probabilities}}\n\n`;
  }

  #close(status: Status): string {
    const open = this.#open;
    if (open === undefined) return "";
    this.#open = undefined;
    const { kind, id, text: told, logprobs } = open;
    const place = { item_id: id, output_index: this.#output.length, content_index: 0 };
    const part = kind === "message" ? textPart(told, logprobs) : reasoningPart(told);
    const item = kind === "message" ? messageItem(id, status, [part]) : reasoningItem(id, status, [part]);
    const text =
      kind === "message"
        ? this.#event("response.output_text.done", { ...place, text: told, logprobs })
        : this.#event("response.reasoning_text.done", { ...place, text: told });
    return text + this.#event("response.content_part.done", { ...place, part }) + this.#itemDone(item);
  }

  #functionCall(call: OllamaToolCall): string {
    let text = this.#close("completed");
    const item = functionCallItem(call);
    const place = { item_id: item.id, output_index: this.#output.length };
    const begun = { ...item, status: "in_progress", arguments: "" };
    text += this.#event("response.output_item.added", { output_index: place.output_index, item: begun });
    text += this.#event("response.function_call_arguments.delta", { ...place, delta: item.arguments });
    text += this.#event("response.function_call_arguments.done", {
      ...place,
      name: item.name,
      arguments: item.arguments,
    });
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
