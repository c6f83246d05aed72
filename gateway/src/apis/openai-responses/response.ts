import type { OllamaEvent } from "../../ollama/types.ts";
import type { BufferedResponse } from "../adapter.ts";
import {
  type OutputItem,
  callItem,
  endStatus,
  logprobsOf,
  messageItem,
  newItemId,
  reasoningItem,
  textPart,
} from "./output-items.ts";
import { type ResponseContext, ResponseObject, reasoningOptionsOf } from "./response-object.ts";

/** Builds a buffered `response`. */
export class ResponseBuilder implements BufferedResponse {
  readonly #context: ResponseContext;
  readonly #response: ResponseObject;
  #thinking = "";
  #text = "";
  readonly #logprobs: object[] = [];
  readonly #calls: OutputItem[] = [];
  #last: OllamaEvent = {};

  constructor(context: ResponseContext) {
    this.#context = context;
    this.#response = new ResponseObject(context);
  }

  add(event: OllamaEvent): void {
    const { message } = event;
    this.#thinking += message?.thinking ?? "";
    this.#text += message?.content ?? "";
    for (const call of message?.tool_calls ?? []) this.#calls.push(callItem(call, this.#context.tools));
    this.#logprobs.push(...logprobsOf(event));
    this.#last = event;
  }

  build(): string {
    const output: OutputItem[] = [];
    if (this.#thinking !== "") {
      const options = reasoningOptionsOf(this.#context.request);
      output.push(reasoningItem(newItemId("rs"), "completed", this.#thinking, options));
    }
    // A response without calls always has a message, possibly empty.
    if (this.#text !== "" || this.#calls.length === 0) {
      const content = [textPart(this.#text, this.#logprobs)];
      output.push(messageItem(newItemId("msg"), endStatus(this.#last), content));
    }
    output.push(...this.#calls);
    return JSON.stringify(this.#response.ended(output, this.#last));
  }
}
