import type { Dispatcher } from "undici";
import type { Abort, Abortable } from "../lib/abortable.ts";
import { ApiError, type ErrorCode, toApiError } from "../errors.ts";
import { LineSplitter, LineTooLongError } from "../lib/line-splitter.ts";
import { Delivery, type DeliveryHandler } from "./delivery.ts";
import { fromConnectionError, fromErrorLine, fromStatus } from "./error-mapping.ts";
import type { OllamaEvent } from "./types.ts";

/** Holds the answer back in Ollama and its connection, so that a slow reader does not fill the gateway's memory. */
export interface Backpressure {
  pause(): void;
  resume(): void;
}

/** Takes an answer as it comes. Called synchronously: a promise a token would cost more than the token. */
export interface EventReader {
  /** One event, and the line it came as; the last one has `done: true`. */
  onEvent(event: OllamaEvent, line: string): void;
  /** All events of the bytes that just arrived have been handed over. */
  onPiece?(flow: Backpressure): void;
}

export interface GenerateStreamOptions {
  readonly model: string;
  readonly reader: EventReader;
  /** When it is given up, the exchange ends with the reason, whatever state it is in. */
  readonly abortable: Abortable<ApiError>;
  readonly timeouts: { readonly beginning: ErrorCode; readonly silence: ErrorCode };
  /** Called once: without an error when the line with `done: true` was read, with one in every other case. */
  readonly settled: (error?: ApiError) => void;
}

// Enough of an error's body to say what was wrong.
const MAX_ERROR_BYTES = 64 * 1024;

/**
 * One request to Ollama, as undici reports it. The answer is complete when a line with `done: true` was read; bytes
 * that end before it, however cleanly, are a failure.
 */
export class GenerateStream implements DeliveryHandler, Abort<ApiError> {
  readonly delivery = new Delivery();
  readonly #options: GenerateStreamOptions;
  readonly #lines = new LineSplitter((line) => {
    this.#onLine(line);
  });
  readonly #errorBody: Buffer[] = [];
  #errorBytes = 0;
  #status = 0;
  #settled = false;
  #controller: Dispatcher.DispatchController | undefined;

  constructor(options: GenerateStreamOptions) {
    this.#options = options;
    options.abortable.underWay = this;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.delivery.started();
    // Given up while the connection was being made: Ollama must not see the request at all.
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

  onResponseData(controller: Dispatcher.DispatchController, piece: Buffer): void {
    if (this.#settled) return;
    if (this.#status !== 200) {
      this.#errorBytes += piece.length;
      if (this.#errorBytes <= MAX_ERROR_BYTES) this.#errorBody.push(piece);
      return;
    }
    try {
      this.#lines.push(piece);
      this.#options.reader.onPiece?.(controller);
    } catch (error) {
      this.abort(asFailure(error));
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
      this.#options.reader.onPiece?.(nothingToHold);
      // Checked first: a buffered response is complete only now, and an error that nobody needs costs much to make.
      if (!this.#isSettled()) this.#settle(new ApiError("upstream_incomplete"));
    } catch (error) {
      this.#settle(asFailure(error));
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

  /** Ends it with an error, whatever state it is in. */
  abort(error: ApiError): void {
    this.#settle(error);
    this.#controller?.abort(error);
  }

  // Reading the last line settles the exchange, which the compiler cannot see.
  #isSettled(): boolean {
    return this.#settled;
  }

  #settle(error?: ApiError): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#options.abortable.underWay = undefined;
    this.#options.settled(error);
  }
}

const nothingToHold: Backpressure = {
  pause() {
    // The answer is over.
  },
  resume() {
    // The answer is over.
  },
};

function parseEvent(line: string): OllamaEvent {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    // Not as a cause: the parser's message quotes the line, and the line is somebody's answer.
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

function asFailure(error: unknown): ApiError {
  if (error instanceof LineTooLongError) {
    return new ApiError("upstream_failed", { message: "Ollama sent a line that is too long.", cause: error });
  }
  return toApiError(error);
}
