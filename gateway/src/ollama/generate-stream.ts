import type { Dispatcher } from "undici";
import type { Abort, Abortable } from "../lib/abortable.ts";
import { ApiError, type ErrorCode, toApiError } from "../errors.ts";
import { LineSplitter, LineTooLongError } from "../lib/line-splitter.ts";
import { Delivery, type DeliveryHandler } from "./delivery.ts";
import { fromConnectionError, fromErrorLine, fromStatus } from "./error-mapping.ts";
import type { OllamaEvent } from "./types.ts";

/** Pauses the response, so that a slow client does not fill the gateway's memory. */
export interface Backpressure {
  pause(): void;
  resume(): void;
}

/** Receives the events of a response. Called synchronously, as a promise per token would cost more than the token. */
export interface EventReader {
  /** Called with each event and its line; the last event has `done: true`. */
  onEvent(event: OllamaEvent, line: string): void;
  /** Called after all events of a received chunk. */
  onChunk?(flow: Backpressure): void;
}

interface GenerateStreamOptions {
  readonly model: string;
  /** Maximum length of the response in bytes. */
  readonly maxBytes: number;
  readonly reader: EventReader;
  /** Aborting it ends the stream with its reason. */
  readonly abortable: Abortable<ApiError>;
  readonly timeouts: { readonly noResponse: ErrorCode; readonly stalled: ErrorCode };
  /** Called exactly once: without an error after the event with `done: true`, else with the failure. */
  readonly onSettled: (error?: ApiError) => void;
}

// Maximum number of bytes kept of an error response.
const MAX_ERROR_BYTES = 64 * 1024;

/**
 * Handler of one generation request. The response is complete with the event that has `done: true`; a body that ends
 * earlier is a failure, even if it ends cleanly.
 */
export class GenerateStream implements DeliveryHandler, Abort<ApiError> {
  readonly delivery = new Delivery();
  readonly #options: GenerateStreamOptions;
  readonly #lines = new LineSplitter((line) => {
    this.#onLine(line);
  });
  readonly #errorBody: Buffer[] = [];
  #errorBytes = 0;
  #receivedBytes = 0;
  #status = 0;
  #settled = false;
  #controller: Dispatcher.DispatchController | undefined;

  constructor(options: GenerateStreamOptions) {
    this.#options = options;
    options.abortable.activeOperation = this;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.delivery.started();
    // Aborted while connecting: Ollama must not see the request.
    const { abortReason } = this.#options.abortable;
    if (abortReason !== undefined) controller.abort(abortReason);
  }

  onRequestSent(): void {
    this.delivery.written();
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.#status = status;
    this.delivery.responded();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#settled) return;
    if (this.#status !== 200) {
      this.#errorBytes += chunk.length;
      if (this.#errorBytes <= MAX_ERROR_BYTES) this.#errorBody.push(chunk);
      return;
    }
    this.#receivedBytes += chunk.length;
    if (this.#receivedBytes > this.#options.maxBytes) {
      this.abort(new ApiError("upstream_failed", { message: "Ollama sent a response that is too long." }));
      return;
    }
    try {
      this.#lines.push(chunk);
      this.#options.reader.onChunk?.(controller);
    } catch (error) {
      this.abort(toFailure(error));
    }
  }

  onResponseEnd(): void {
    if (this.#settled) return;
    if (this.#status !== 200) {
      this.#settle(
        fromStatus(this.#status, Buffer.concat(this.#errorBody).toString("utf8"), this.#options.model),
      );
      return;
    }
    try {
      this.#lines.end();
      this.#options.reader.onChunk?.(noBackpressure);
      // A buffered response is only settled by now; check before constructing an error, which is expensive.
      if (!this.#isSettled()) this.#settle(new ApiError("upstream_incomplete"));
    } catch (error) {
      this.#settle(toFailure(error));
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#settle(fromConnectionError(error, this.delivery.stage, this.#options.timeouts));
  }

  #onLine(line: string): void {
    if (this.#settled) return;
    const event = parseEvent(line);
    this.#options.reader.onEvent(event, line);
    if (event.done === true) this.#settle();
  }

  /** Ends the request with an error in any state. */
  abort(error: ApiError): void {
    this.#settle(error);
    this.#controller?.abort(error);
  }

  // Hides from the compiler that `#settled` was false before; parsing the last line changes it.
  #isSettled(): boolean {
    return this.#settled;
  }

  #settle(error?: ApiError): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#options.abortable.activeOperation = undefined;
    this.#options.onSettled(error);
  }
}

const noBackpressure: Backpressure = {
  pause() {
    // The response has ended.
  },
  resume() {
    // The response has ended.
  },
};

function parseEvent(line: string): OllamaEvent {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    // No `cause`: the parser's message quotes the line, which is generated text.
    throw new ApiError("upstream_failed", { message: "Ollama sent a line that is not JSON." });
  }
  if (typeof event !== "object" || event === null) {
    throw new ApiError("upstream_failed", { message: "Ollama sent a line that is not an object." });
  }
  if ("error" in event && event.error !== null && event.error !== "") {
    throw fromErrorLine(typeof event.error === "string" ? event.error : undefined);
  }
  return event;
}

function toFailure(error: unknown): ApiError {
  if (error instanceof LineTooLongError) {
    return new ApiError("upstream_failed", { message: "Ollama sent a line that is too long.", cause: error });
  }
  return toApiError(error);
}
