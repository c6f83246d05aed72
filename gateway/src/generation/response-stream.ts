import type { FastifyReply } from "fastify";
import type { Backpressure } from "../ollama/generate-stream.ts";
import { comment } from "../lib/sse.ts";
import type { StreamType } from "../apis/adapter.ts";

const HEADERS = {
  "cache-control": "no-cache, no-transform",
  // nginx would hold the stream back otherwise.
  "x-accel-buffering": "no",
};

/**
 * A streamed answer on one reply. Nothing is sent before its first piece: until then a failure can still be a status
 * code. What is written while the bytes that have arrived are read leaves in one piece.
 */
export class ResponseStream {
  readonly #reply: FastifyReply;
  readonly #contentType: StreamType;
  readonly #slowReaderTimeout: number;
  readonly #onStall: () => void;
  #batch = "";
  #begun = false;
  #complete = false;
  #held = false;
  /** Set while a flush is due. */
  #flow: Backpressure | undefined;
  #stall: NodeJS.Timeout | undefined;

  /** @param onStall the client left the stream unread for `slowReaderTimeout` ms */
  constructor(reply: FastifyReply, contentType: StreamType, slowReaderTimeout: number, onStall: () => void) {
    this.#reply = reply;
    this.#contentType = contentType;
    this.#slowReaderTimeout = slowReaderTimeout;
    this.#onStall = onStall;
    reply.raw.on("close", () => {
      clearTimeout(this.#stall);
    });
  }

  /** True when the status has been sent or is about to be, so that a failure has to be an event. */
  get begun(): boolean {
    return this.#begun || this.#batch !== "";
  }

  write(text: string): void {
    this.#batch += text;
  }

  /** The answer is complete; the next flush ends the stream. */
  end(): void {
    this.#complete = true;
  }

  /**
   * Tells a client that waits, and the proxies between, that the stream lives. The status goes out with it. Streams
   * that know no comments stay silent.
   */
  comment(text: string): void {
    if (this.#contentType === "application/x-ndjson" || this.#reply.raw.destroyed) return;
    this.#batch += comment(text);
    this.#reply.raw.write(this.#takeBatch());
  }

  /**
   * Sends what was written, once all that has arrived was read: Ollama's tokens often come several at a time, each a
   * piece of its own. A reader that is behind stops the flow until it has caught up.
   */
  flush(flow: Backpressure): void {
    if (this.#flow === undefined) process.nextTick(this.#flush);
    this.#flow = flow;
  }

  /** Resolves when the client has taken what was written, or is gone; undefined: it is not behind. */
  caughtUp(): Promise<void> | undefined {
    this.#flush();
    if (!this.#held) return undefined;
    const { raw } = this.#reply;
    return new Promise((resolve) => {
      const over = (): void => {
        raw.off("drain", over).off("close", over);
        resolve();
      };
      raw.once("drain", over).once("close", over);
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
    if (raw.write(batch) || this.#held) return;
    this.#held = true;
    flow.pause();
    this.#watch();
    raw.once("drain", () => {
      this.#held = false;
      clearTimeout(this.#stall);
      flow.resume();
    });
  };

  /**
   * Ends a stream that failed: its last words say why, then the connection breaks off. The body is left without its
   * end on purpose, so that even a client that knows no error events does not take the answer for complete.
   *
   * @param inOrder the last words alone show every client that the response failed, so that the body ends as others do.
   *   Some clients report the broken connection only otherwise, and not why.
   */
  fail(lastWords: string, inOrder = false): void {
    const { raw } = this.#reply;
    this.#flow = undefined;
    if (raw.destroyed) return;
    this.#batch += lastWords;
    this.#watch();
    if (inOrder) {
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
