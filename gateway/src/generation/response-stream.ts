import type { FastifyReply } from "fastify";
import type { Backpressure } from "../ollama/generate-stream.ts";
import { comment } from "../lib/sse.ts";
import type { StreamType } from "../apis/adapter.ts";

const HEADERS = {
  "cache-control": "no-cache, no-transform",
  // Disables response buffering in nginx.
  "x-accel-buffering": "no",
};

/**
 * Streams a response. The status line is deferred until the first write, so that an earlier failure can still set the
 * status code. Writes are batched per chunk received from Ollama.
 */
export class ResponseStream {
  readonly #reply: FastifyReply;
  readonly #contentType: StreamType;
  readonly #slowReaderTimeout: number;
  readonly #onStall: () => void;
  #batch = "";
  #begun = false;
  #complete = false;
  #isPaused = false;
  /** Set while a flush is scheduled. */
  #flow: Backpressure | undefined;
  #stall: NodeJS.Timeout | undefined;

  /**
   * @param slowReaderTimeout in milliseconds
   * @param onStall called when the client has not read anything for `slowReaderTimeout`
   */
  constructor(reply: FastifyReply, contentType: StreamType, slowReaderTimeout: number, onStall: () => void) {
    this.#reply = reply;
    this.#contentType = contentType;
    this.#slowReaderTimeout = slowReaderTimeout;
    this.#onStall = onStall;
    reply.raw.on("close", () => {
      clearTimeout(this.#stall);
    });
  }

  /** Whether the status line has been sent or is about to be, so that a failure must be reported as an event. */
  get begun(): boolean {
    return this.#begun || this.#batch !== "";
  }

  write(text: string): void {
    this.#batch += text;
  }

  /** Marks the response as complete; the next flush ends the stream. */
  end(): void {
    this.#complete = true;
  }

  /** Sends a keep-alive comment, and the status line if it is still due. Does nothing for formats without comments. */
  comment(text: string): void {
    if (this.#contentType === "application/x-ndjson" || this.#reply.raw.destroyed) return;
    this.#batch += comment(text);
    this.#reply.raw.write(this.#takeBatch());
  }

  /**
   * Schedules a flush after the current chunk has been parsed, which often holds several events. Pauses the flow while
   * the client is behind.
   */
  flush(flow: Backpressure): void {
    if (this.#flow === undefined) process.nextTick(this.#flush);
    this.#flow = flow;
  }

  /** Resolves when the client has read everything or disconnected; undefined if it is not behind. */
  caughtUp(): Promise<void> | undefined {
    this.#flush();
    if (!this.#isPaused) return undefined;
    const { raw } = this.#reply;
    return new Promise((resolve) => {
      const settle = (): void => {
        raw.off("drain", settle).off("close", settle);
        resolve();
      };
      raw.once("drain", settle).once("close", settle);
    });
  }

  readonly #flush = (): void => {
    const flow = this.#flow;
    this.#flow = undefined;
    if (flow === undefined || (this.#batch === "" && !this.#complete) || this.#reply.raw.destroyed) return;
    const { raw } = this.#reply;
    const batch = this.#takeBatch();
    if (this.#complete) {
      raw.end(batch);
      if (raw.writableLength > 0) this.#watch();
      return;
    }
    if (raw.write(batch) || this.#isPaused) return;
    this.#isPaused = true;
    flow.pause();
    this.#watch();
    raw.once("drain", () => {
      this.#isPaused = false;
      clearTimeout(this.#stall);
      flow.resume();
    });
  };

  /**
   * Sends `finalEvent` and ends a failed stream. By default it then resets the connection without terminating the body,
   * so that clients that ignore error events do not take the response for complete.
   *
   * @param terminate terminate the body normally, for formats whose last event tells every client that the response
   *   failed. Some clients would otherwise report only the broken connection.
   */
  fail(finalEvent: string, terminate = false): void {
    const { raw } = this.#reply;
    this.#flow = undefined;
    if (raw.destroyed) return;
    this.#batch += finalEvent;
    this.#watch();
    if (terminate) {
      raw.end(this.#takeBatch());
      return;
    }
    raw.write(this.#takeBatch(), () => {
      raw.destroy();
    });
  }

  #takeBatch(): string {
    if (!this.#begun) {
      this.#begun = true;
      this.#reply.hijack();
      this.#reply.raw.writeHead(200, {
        ...this.#headersOfReply(),
        ...HEADERS,
        "content-type": this.#contentType,
      });
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
