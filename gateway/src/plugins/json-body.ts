import type { Readable, Transform } from "node:stream";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiError } from "../errors.ts";
import { BytePieces } from "../lib/byte-pieces.ts";
import { type ContentDecoder, decoderOf } from "../lib/content-encodings.ts";
import { JsonParser } from "../lib/json/parser.ts";
import { simpleJsonValues } from "../lib/json/scan.ts";
import type { BodyBudget } from "./body-budget.ts";
import { badEncoding, toBodyError, unknownEncoding } from "./body-errors.ts";

type Done = (error: Error | null, body?: unknown) => void;

// Shorter bodies are parsed at once, longer ones as they arrive.
const SHORT_BYTES = 256 * 1024;

/**
 * Parses JSON bodies in a single pass, within the limits of `json/limits.ts` and the body budget. Like Ollama, treats
 * every body as JSON regardless of its content type, as `curl -d` sends a form type. `origin-check.ts` rejects such
 * requests from web pages.
 */
export function readJsonBodies(app: FastifyInstance, budget: BodyBudget, bodyLimit: number): void {
  app.decorateRequest("bodyCost", 0);
  app.addHook("onRequest", (request, _reply, done) => {
    const { headers } = request.raw;
    const type = headers["content-type"];
    // Fastify rejects malformed types, such as `json`.
    if (type !== undefined && type !== JSON_TYPE) delete headers["content-type"];
    done();
  });
  const parse = (request: FastifyRequest, payload: Readable, done: Done): void => {
    // Unknown routes do not read the body.
    if (request.is404) {
      done(null);
      return;
    }
    const { "content-encoding": encoding } = request.headers;
    const decoder = encoding === undefined ? "identity" : decoderOf(encoding);
    if (decoder === undefined) {
      payload.resume();
      done(unknownEncoding(encoding));
      return;
    }
    const options = { budget, bodyLimit, decoder: decoder === "identity" ? undefined : decoder, done };
    new BodyReader(request, payload, options).start();
  };
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(JSON_TYPE, parse);
  app.addContentTypeParser("*", parse);
}

const JSON_TYPE = "application/json";

interface BodyReaderOptions {
  readonly budget: BodyBudget;
  readonly bodyLimit: number;
  /** Created once the body has arrived: a decoder takes memory, which waiting for a slow client must not hold. */
  readonly decoder: ContentDecoder | undefined;
  readonly done: Done;
}

class BodyReader {
  readonly #request: FastifyRequest;
  readonly #options: BodyReaderOptions;
  /** Source of the body: the connection, then the decoder if there is one. */
  #source: Readable;
  #decoding: { readonly decoder: ContentDecoder; readonly stream: Transform } | undefined;
  /** Number of bytes, as announced by the header and as received. */
  #announced = 0;
  #length = 0;
  /** Additional memory in bytes: the encoded body and the decoder. */
  #overhead = 0;
  /** Received but not parsed yet. */
  readonly #pieces = new BytePieces();
  /** Parser of a long body. */
  #parser: JsonParser | undefined;
  #isOver = false;
  /** Everything has been received; remaining events are ignored. */
  #isComplete = false;

  constructor(request: FastifyRequest, source: Readable, options: BodyReaderOptions) {
    this.#request = request;
    this.#source = source;
    this.#options = options;
  }

  start(): void {
    const { budget, bodyLimit } = this.#options;
    this.#announced = Number(this.#request.headers["content-length"] ?? 0);
    if (this.#announced > bodyLimit) {
      this.#fail(new ApiError("body_too_large"));
    } else if (!budget.hasRoom(this.#request, this.#announced)) {
      this.#fail(new ApiError("bodies_full"));
    } else this.#listen();
  }

  #listen(): void {
    this.#source.on("data", this.#onData).on("end", this.#onEnd).on("error", this.#onError);
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#hasResponse()) return;
    const { budget, bodyLimit } = this.#options;
    this.#length += chunk.length;
    if (this.#length > bodyLimit) {
      this.#fail(new ApiError("body_too_large"));
      return;
    }
    // Charge what has been received instead of what was announced, which uses no memory and must not block others. A
    // complete body is charged when its number of values is known.
    if (this.#length !== this.#announced && !budget.charge(this.#request, this.#overhead + this.#length)) {
      this.#fail(new ApiError("bodies_full"));
      return;
    }
    this.#pieces.add(chunk);
    if (this.#isEncoded) return;
    if (this.#parser === undefined && this.#length > SHORT_BYTES) this.#parser = new JsonParser();
    if (this.#parser !== undefined && this.#pieces.hasComplete) {
      this.#source.pause();
      this.#parseNext();
    }
  };

  /** Whether the received data has yet to be decoded. */
  get #isEncoded(): boolean {
    return this.#options.decoder !== undefined && this.#decoding === undefined;
  }

  readonly #onEnd = (): void => {
    this.#isComplete = true;
    if (this.#hasResponse()) return;
    if (this.#isEncoded) this.#decode(this.#options.decoder);
    else if (this.#parser === undefined) this.#parseShort();
    else this.#parseLast(this.#parser);
  };

  /** Switches to reading the decoded body. */
  #decode(decoder: ContentDecoder | undefined): void {
    if (decoder === undefined) return;
    this.#overhead = this.#length + decoder.stateBytes;
    if (!this.#options.budget.charge(this.#request, this.#overhead)) {
      this.#fail(new ApiError("bodies_full"));
      return;
    }
    this.#ignoreSource();
    const stream = decoder.create();
    this.#decoding = { decoder, stream };
    this.#source = stream;
    this.#isComplete = false;
    this.#announced = NaN;
    this.#length = 0;
    this.#listen();
    for (const piece of this.#pieces.takeAll()) stream.write(piece);
    stream.end();
  }

  /** Whether a response has been sent, such as for a timeout; the rest of the body is ignored then. */
  #hasResponse(): boolean {
    if (this.#request.bodyCost >= 0) return false;
    this.#stop();
    this.#discard();
    return true;
  }

  readonly #onError = (error: Error): void => {
    const { decoder } = this.#decoding ?? {};
    this.#fail(
      decoder === undefined ? Object.assign(error, { statusCode: 400 }) : badEncoding(decoder, error),
    );
  };

  /** Parses one piece, then yields to the event loop before the next. */
  #parseNext(): void {
    const piece = this.#pieces.shift();
    if (piece === undefined || this.#parser === undefined) {
      this.#source.resume();
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
    const isCharged = this.#charge(parser.values);
    if (!isCharged) this.#fail(new ApiError("bodies_full"));
    return isCharged;
  }

  #parseLast(parser: JsonParser): void {
    for (const piece of this.#pieces.takeAll()) if (!this.#push(parser, piece)) return;
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
    this.#releaseOverhead(parser.values);
    // Processing a long body takes time as well, so yield first.
    if (this.#length > SHORT_BYTES) setImmediate(this.#options.done, null, body);
    else this.#options.done(null, body);
  }

  #parseShort(): void {
    const pieces = this.#pieces.takeAll();
    const [first = EMPTY] = pieces;
    const bytes = pieces.length > 1 ? Buffer.concat(pieces) : first;
    const text = bytes.toString("utf8");
    const values = simpleJsonValues(text);
    if (values === undefined) {
      const parser = new JsonParser();
      if (this.#push(parser, bytes)) this.#finish(parser);
      return;
    }
    if (!this.#charge(values)) {
      this.#fail(new ApiError("bodies_full"));
      return;
    }
    let body: unknown;
    try {
      body = JSON.parse(text.codePointAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text);
    } catch {
      // No `cause`: the parser's message quotes the body.
      this.#fail(new ApiError("invalid_json"));
      return;
    }
    this.#stop();
    this.#releaseOverhead(values);
    this.#options.done(null, body);
  }

  #charge(values: number): boolean {
    return this.#options.budget.chargeValues(this.#request, this.#overhead + this.#length, values);
  }

  /** Releases the charge of the encoded body and the decoder. */
  #releaseOverhead(values: number): void {
    if (this.#overhead > 0) this.#options.budget.lower(this.#request, this.#length, values);
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.#stop();
    this.#discard();
    this.#options.done(error);
  }

  /** Discards the rest of the body. */
  #discard(): void {
    if (this.#decoding === undefined) this.#source.resume();
    else this.#decoding.stream.on("error", () => undefined).destroy();
  }

  #stop(): void {
    this.#isOver = true;
    this.#pieces.takeAll();
    if (!this.#isComplete) this.#ignoreSource();
  }

  #ignoreSource(): void {
    this.#source.off("data", this.#onData).off("end", this.#onEnd).off("error", this.#onError);
  }
}

const EMPTY = Buffer.alloc(0);
const BYTE_ORDER_MARK = 0xfeff;
