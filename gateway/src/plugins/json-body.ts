import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiError, toApiError } from "../errors.ts";
import {
  JsonLimitError,
  MAX_DEPTH,
  MAX_ELEMENTS,
  MAX_KEYS,
  MAX_KEY_BYTES,
  MAX_NUMBER_LENGTH,
  MAX_VALUES,
} from "../lib/json-limits.ts";
import { JsonParser, JsonSyntaxError } from "../lib/json-parser.ts";
import { writePath } from "../lib/json-path.ts";
import { simpleJsonValues } from "../lib/json-scan.ts";
import type { BodyBudget } from "./body-budget.ts";

type Done = (error: Error | null, body?: unknown) => void;

// What is parsed in one go. Longer bodies are parsed as they arrive.
const SHORT_BYTES = 256 * 1024;

// Pieces shorter than this are put together: each is an object of its own, of a hundred bytes and more.
const PIECE_BYTES = 16 * 1024;

/** Reads JSON bodies within the limits of `json-limits.ts` and of the budget, each in a single pass. */
export function readJsonBodies(app: FastifyInstance, budget: BodyBudget, bodyLimit: number): void {
  app.decorateRequest("bodyCost", 0);
  app.addContentTypeParser("application/json", (request, payload, done) => {
    // No route reads it.
    if (request.is404) done(null);
    else new BodyReader(request, payload, { budget, bodyLimit, done }).start();
  });
}

interface BodyReaderOptions {
  readonly budget: BodyBudget;
  readonly bodyLimit: number;
  readonly done: Done;
}

class BodyReader {
  readonly #request: FastifyRequest;
  readonly #payload: IncomingMessage;
  readonly #options: BodyReaderOptions;
  /** Bytes, as the header says and as they have arrived. */
  #announced = 0;
  #length = 0;
  /** What has arrived and is not parsed yet. */
  #pieces: Buffer[] = [];
  /** The last of them, as long as more fits in, and how much of it is filled. */
  #open: Buffer | undefined;
  #filled = 0;
  /** Parses a body that is not short. */
  #parser: JsonParser | undefined;
  #isOver = false;
  /** All of it has arrived: nothing more is to be listened for. */
  #isComplete = false;

  constructor(request: FastifyRequest, payload: IncomingMessage, options: BodyReaderOptions) {
    this.#request = request;
    this.#payload = payload;
    this.#options = options;
  }

  start(): void {
    const { budget, bodyLimit } = this.#options;
    this.#announced = Number(this.#request.headers["content-length"] ?? 0);
    if (this.#announced > bodyLimit) {
      this.#fail(new ApiError("body_too_large"));
    } else if (!budget.hasRoom(this.#request, this.#announced)) {
      this.#fail(new ApiError("bodies_full"));
    } else {
      this.#payload.on("data", this.#onData).on("end", this.#onEnd).on("error", this.#onError);
    }
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#isAnswered()) return;
    const { budget, bodyLimit } = this.#options;
    this.#length += chunk.length;
    if (this.#length > bodyLimit) {
      this.#fail(new ApiError("body_too_large"));
      return;
    }
    // What has arrived counts, not what was announced: that takes nothing, and keeps nobody out. A complete body is
    // charged when its values are known.
    if (this.#length !== this.#announced && !budget.charge(this.#request, this.#length)) {
      this.#fail(new ApiError("bodies_full"));
      return;
    }
    this.#keep(chunk);
    if (this.#parser === undefined && this.#length > SHORT_BYTES) this.#parser = new JsonParser();
    if (this.#parser !== undefined && this.#pieces.length > (this.#open === undefined ? 0 : 1)) {
      this.#payload.pause();
      this.#parseNext();
    }
  };

  readonly #onEnd = (): void => {
    this.#isComplete = true;
    if (this.#isAnswered()) return;
    if (this.#parser === undefined) this.#parseShort();
    else this.#parseLast(this.#parser);
  };

  /** It took too long, say: then nothing more is made of it. */
  #isAnswered(): boolean {
    if (this.#request.bodyCost >= 0) return false;
    this.#stop();
    this.#payload.resume();
    return true;
  }

  readonly #onError = (error: Error): void => {
    this.#fail(Object.assign(error, { statusCode: 400 }));
  };

  #keep(chunk: Buffer): void {
    if (this.#open !== undefined) {
      const copied = chunk.copy(this.#open, this.#filled);
      this.#filled += copied;
      if (copied === chunk.length) return;
      this.#close();
      this.#keep(chunk.subarray(copied));
    } else if (chunk.length >= PIECE_BYTES || (this.#pieces.length === 0 && this.#parser === undefined)) {
      this.#pieces.push(chunk);
    } else {
      this.#open = Buffer.allocUnsafeSlow(PIECE_BYTES);
      this.#filled = chunk.copy(this.#open);
      this.#pieces.push(this.#open);
    }
  }

  /** Nothing is added to the last piece any more. */
  #close(): void {
    if (this.#open === undefined) return;
    this.#pieces[this.#pieces.length - 1] = this.#open.subarray(0, this.#filled);
    this.#open = undefined;
  }

  /** Parses a piece, and what comes after it in later turns of the event loop: others are served in between. */
  #parseNext(): void {
    const hasPiece = this.#pieces.length > (this.#open === undefined ? 0 : 1);
    const piece = hasPiece ? this.#pieces.shift() : undefined;
    if (piece === undefined || this.#parser === undefined) {
      this.#payload.resume();
      return;
    }
    if (this.#push(this.#parser, piece)) {
      setImmediate(() => {
        if (!this.#isOver) this.#parseNext();
      });
    }
  }

  #push(parser: JsonParser, piece: Buffer): boolean {
    try {
      parser.push(piece);
    } catch (error) {
      this.#fail(toBodyError(error));
      return false;
    }
    const isPaid = this.#options.budget.chargeValues(this.#request, this.#length, parser.values);
    if (!isPaid) this.#fail(new ApiError("bodies_full"));
    return isPaid;
  }

  #parseLast(parser: JsonParser): void {
    this.#close();
    for (const piece of this.#pieces) if (!this.#push(parser, piece)) return;
    this.#finish(parser);
  }

  #finish(parser: JsonParser): void {
    let body: unknown;
    try {
      body = parser.end();
    } catch (error) {
      this.#fail(toBodyError(error));
      return;
    }
    this.#stop();
    // What is made of it takes its time as well.
    if (this.#length > SHORT_BYTES) setImmediate(this.#options.done, null, body);
    else this.#options.done(null, body);
  }

  #parseShort(): void {
    this.#close();
    const [first = EMPTY] = this.#pieces;
    const bytes = this.#pieces.length > 1 ? Buffer.concat(this.#pieces) : first;
    const text = bytes.toString("utf8");
    const values = simpleJsonValues(text);
    if (values === undefined) {
      const parser = new JsonParser();
      if (this.#push(parser, bytes)) this.#finish(parser);
      return;
    }
    if (!this.#options.budget.chargeValues(this.#request, this.#length, values)) {
      this.#fail(new ApiError("bodies_full"));
      return;
    }
    let body: unknown;
    try {
      body = JSON.parse(text.codePointAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text);
    } catch {
      // Not as a cause: the parser's message quotes the body.
      this.#fail(new ApiError("invalid_json"));
      return;
    }
    this.#stop();
    this.#options.done(null, body);
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.#stop();
    // What is still to come is read and forgotten.
    this.#payload.resume();
    this.#options.done(error);
  }

  #stop(): void {
    this.#isOver = true;
    this.#pieces = [];
    if (this.#isComplete) return;
    this.#payload.off("data", this.#onData).off("end", this.#onEnd).off("error", this.#onError);
  }
}

const EMPTY = Buffer.alloc(0);
const BYTE_ORDER_MARK = 0xfeff;

function toBodyError(error: unknown): Error {
  if (error instanceof JsonSyntaxError) return new ApiError("invalid_json");
  if (!(error instanceof JsonLimitError)) return toApiError(error);
  const param = writePath(error.path);
  const place = param === "" ? "the request body" : `'${param}'`;
  const named = param === "" ? {} : { param };
  const invalid = (why: string, advice: string): ApiError =>
    new ApiError("invalid_value", { message: `Invalid value for ${place}: ${why}. ${advice}`, ...named });
  switch (error.limit) {
    case "depth":
      return new ApiError("invalid_request", {
        message: `The request body is nested more than ${MAX_DEPTH} levels deep, at ${place}. Flatten it.`,
      });
    case "values":
      return new ApiError("body_too_large", {
        message: `The request body holds more than ${MAX_VALUES} values, up to ${place}. Split the request.`,
      });
    case "elements":
      return invalid(`it has more than ${MAX_ELEMENTS} elements`, "Split the request.");
    case "keys":
      return invalid(`it has more than ${MAX_KEYS} keys`, "Split the request.");
    case "key":
      return invalid(`one of its keys is longer than ${MAX_KEY_BYTES} bytes`, "Shorten the key.");
    case "number":
      return invalid(`the number has more than ${MAX_NUMBER_LENGTH} characters`, "Round it.");
    case "range":
      return invalid("the number is larger than a double can hold", "Send a smaller one, or a string.");
    case "prototype":
      return invalid("the key is reserved", "Rename it.");
  }
}
