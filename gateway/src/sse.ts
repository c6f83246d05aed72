import type { FastifyReply } from "fastify";
import type { ApiError } from "./errors.ts";
import type { Flow } from "./ollama/exchange.ts";

const HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  // nginx would hold the stream back otherwise.
  "x-accel-buffering": "no",
};

/**
 * A stream of server-sent events on one reply. Nothing is sent before the first event: until then a failure can still
 * be a status code. What is written between two flushes leaves in one piece.
 */
export class SseStream {
  readonly #reply: FastifyReply;
  readonly #slowReaderTimeout: number;
  readonly #onStall: () => void;
  #batch = "";
  #begun = false;
  #complete = false;
  #held = false;
  #stall: NodeJS.Timeout | undefined;

  /** @param onStall the client left the stream unread for `slowReaderTimeout` ms */
  constructor(reply: FastifyReply, slowReaderTimeout: number, onStall: () => void) {
    this.#reply = reply;
    this.#slowReaderTimeout = slowReaderTimeout;
    this.#onStall = onStall;
    reply.raw.once("close", () => {
      clearTimeout(this.#stall);
    });
  }

  /** True when the status has been sent, so that a failure has to be an event. */
  get begun(): boolean {
    return this.#begun;
  }

  event(data: string): void {
    this.#batch += `data: ${data}\n\n`;
  }

  /** The answer is complete; the next flush ends the stream. */
  done(): void {
    this.#batch += "data: [DONE]\n\n";
    this.#complete = true;
  }

  /** Sends what was written. A reader that is behind stops the flow until it has caught up. */
  flush(flow: Flow): void {
    if (this.#batch === "") return;
    const { raw } = this.#reply;
    const batch = this.#takeBatch();
    if (this.#complete) {
      raw.end(batch);
      if (raw.writableLength > 0) this.#watch();
      return;
    }
    if (raw.write(batch) || this.#held) return;
    this.#held = true;
    flow.pause();
    this.#watch();
    raw.once("drain", () => {
      this.#held = false;
      clearTimeout(this.#stall);
      flow.resume();
    });
  }

  /**
   * Ends a stream that failed: an event that says why, then a connection that breaks off. The body is left without
   * its end on purpose, so that even a client that knows no error events does not take the answer for complete.
   */
  fail(error: ApiError): void {
    const { raw } = this.#reply;
    if (raw.destroyed) return;
    this.event(JSON.stringify(error.body()));
    this.#watch();
    raw.write(this.#takeBatch(), () => {
      raw.destroy();
    });
  }

  #takeBatch(): string {
    if (!this.#begun) {
      this.#begun = true;
      this.#reply.hijack();
      this.#reply.raw.writeHead(200, { ...this.#headersOfReply(), ...HEADERS });
    }
    const batch = this.#batch;
    this.#batch = "";
    return batch;
  }

  #headersOfReply(): Record<string, string> {
    return this.#reply.getHeaders() as Record<string, string>;
  }

  #watch(): void {
    clearTimeout(this.#stall);
    this.#stall = setTimeout(() => {
      this.#onStall();
      this.#reply.raw.destroy();
    }, this.#slowReaderTimeout);
  }
}
