import { isIPv6 } from "node:net";
import type { Dispatcher } from "undici";
import type { Abortable } from "../lib/abortable.ts";
import type { BackendAddress } from "./address.ts";
import { ApiError } from "../errors.ts";
import { type EventReader, GenerateStream } from "./generate-stream.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { Delivery } from "./delivery.ts";
import { fromConnectionError, fromStatus } from "./error-mapping.ts";
import { type ProxyRequest, contentOf, toJson } from "./proxy-body.ts";
import type { GenerateRequest, OllamaModel, UnaryRequest, OllamaRunning } from "./types.ts";

// Longer than undici's default of 4 s, so that occasional requests reuse connections.
const KEEP_ALIVE_MS = 60_000;

// No client headers are forwarded.
const JSON_HEADERS = { "content-type": "application/json", accept: "application/json" };
const GENERATE_HEADERS = { "content-type": "application/json", accept: "application/x-ndjson" };

// Maximum length of a buffered response, whose events are kept until the last one.
const MAX_BUFFERED_BYTES = 64 * 1024 * 1024;

// Maximum length of a response that is not charged to the body budget.
const MAX_JSON_BYTES = 32 * 1024 * 1024;

const UNARY_TIMEOUTS = { noResponse: "answer_timeout", stalled: "answer_timeout" } as const;

/** Timeouts for Ollama, in milliseconds. */
export interface OllamaTimeouts {
  readonly connectMs: number;
  /** For the version and the lists of models. */
  readonly probeMs: number;
  /** For a buffered response. */
  readonly responseMs: number;
  readonly firstTokenMs: number;
  /** Between two chunks of a stream. */
  readonly idleMs: number;
}

export interface JsonRequestOptions {
  readonly signal: AbortSignal;
  /** W3C trace context of the request. */
  readonly traceparent?: string | undefined;
  /** Called for each chunk with the number of bytes so far. May throw to abort. */
  readonly onLength?: (bytes: number) => void;
}

/** Client of one Ollama server's native API. */
export class OllamaClient {
  readonly #timeouts: OllamaTimeouts;
  readonly #origin: string;
  #pool: ConnectionPool;

  constructor(timeouts: OllamaTimeouts, { host, port }: BackendAddress) {
    this.#timeouts = timeouts;
    this.#origin = `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
    this.#pool = this.#newPool();
  }

  /** Opens new connections from now on, because the host name has a new address. Requests in flight continue. */
  reconnect(): void {
    const old = this.#pool;
    this.#pool = this.#newPool();
    void old.close();
  }

  /** Rejects new requests, and closes connections when their requests have ended. */
  retire(): void {
    void this.#pool.close();
  }

  /**
   * Sends a generation request and passes its events to the reader. Resolves once the event with `done: true` was read.
   * Never retries.
   *
   * @param abortable aborting it aborts the request
   * @param traceparent W3C trace context of the request
   * @throws ApiError the abort reason, or the failure
   */
  generate(
    { path, body, isLarge }: GenerateRequest,
    abortable: Abortable<ApiError>,
    reader: EventReader,
    traceparent?: string,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      if (abortable.abortReason !== undefined) {
        reject(abortable.abortReason);
        return;
      }
      const buffered = !body.stream;
      const stream = new GenerateStream({
        model: body.model,
        maxBytes: buffered ? MAX_BUFFERED_BYTES : Infinity,
        reader,
        abortable,
        timeouts: buffered
          ? { noResponse: "answer_timeout", stalled: "answer_timeout" }
          : { noResponse: "first_token_timeout", stalled: "idle_timeout" },
        onSettled(error) {
          if (error === undefined) resolve();
          else reject(error);
        },
      });
      this.#pool.dispatch(
        {
          method: "POST",
          path,
          headers: traceparent === undefined ? GENERATE_HEADERS : { ...GENERATE_HEADERS, traceparent },
          body: toJson(body, isLarge),
          // Ollama sends the headers with the first token, or with the complete response if it does not stream.
          headersTimeout: buffered ? this.#timeouts.responseMs : this.#timeouts.firstTokenMs,
          bodyTimeout: this.#timeouts.idleMs,
        },
        stream,
      );
    });
  }

  /**
   * Sends a request with a buffered JSON response, such as the details of a model.
   *
   * @throws ApiError the signal's reason, or the failure
   */
  async request(call: UnaryRequest, signal: AbortSignal): Promise<unknown> {
    return parseResponse((await this.requestJson(call, { signal })).toString());
  }

  /**
   * Like `request`, but returns the raw JSON: parsing a large response would block the event loop.
   *
   * @throws ApiError the signal's reason, the failure, or what `onLength` throws
   */
  async requestJson(
    { method, path, model, body, isLarge }: UnaryRequest,
    { signal, traceparent, onLength }: JsonRequestOptions,
  ): Promise<Buffer> {
    const delivery = new Delivery();
    try {
      const response = await this.#pool.request(
        {
          method,
          path,
          signal,
          headersTimeout: this.#timeouts.responseMs,
          bodyTimeout: this.#timeouts.idleMs,
          headers: {
            ...(body === undefined ? {} : JSON_HEADERS),
            ...(traceparent === undefined ? {} : { traceparent }),
          },
          ...(body === undefined ? {} : { body: toJson(body, isLarge) }),
        },
        delivery,
      );
      if (response.statusCode === 200) return await readBody(response.body, onLength);
      throw fromStatus(
        response.statusCode,
        (await readBody(response.body, onLength)).toString(),
        model ?? "",
      );
    } catch (error) {
      throw fromConnectionError(error as Error, delivery.stage, {
        ...UNARY_TIMEOUTS,
        // A GET changes nothing and carries no client input.
        repeatable: method === "GET",
      });
    }
  }

  /**
   * Forwards a request and returns its response, whatever the status.
   *
   * @throws ApiError the signal's reason, or the failure if there is no response
   */
  async proxy(
    { method, path, body, isLarge }: ProxyRequest,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const delivery = new Delivery();
    try {
      return await this.#pool.request(
        {
          method,
          path,
          signal,
          headersTimeout: this.#timeouts.responseMs,
          // Ollama sends nothing while it verifies a pulled model, which takes minutes for a large one.
          bodyTimeout: this.#timeouts.responseMs,
          ...contentOf(body, isLarge),
        },
        delivery,
      );
    } catch (error) {
      throw fromConnectionError(error as Error, delivery.stage, UNARY_TIMEOUTS);
    }
  }

  /**
   * Lists the installed models.
   *
   * @throws ApiError
   */
  async models(): Promise<readonly OllamaModel[]> {
    const { body } = await this.#get("/api/tags");
    return (body as { models?: readonly OllamaModel[] | null }).models ?? [];
  }

  /**
   * Lists the loaded models, and returns the time by the server's clock.
   *
   * @throws ApiError
   */
  async running(): Promise<{ models: readonly OllamaRunning[]; now: number }> {
    const { body, date } = await this.#get("/api/ps");
    return {
      models: (body as { models?: readonly OllamaRunning[] | null }).models ?? [],
      now: typeof date === "string" ? Date.parse(date) : Date.now(),
    };
  }

  /**
   * Returns the server's version; used as a liveness probe.
   *
   * @throws ApiError
   */
  async version(): Promise<string> {
    const { body } = await this.#get("/api/version");
    return String((body as { version?: unknown }).version);
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  // The number of connections is unlimited: the scheduler limits generation, and probes must never wait for it.
  #newPool(): ConnectionPool {
    return new ConnectionPool(this.#origin, {
      connectMs: this.#timeouts.connectMs,
      keepAliveMs: KEEP_ALIVE_MS,
    });
  }

  async #get(path: string): Promise<{ body: unknown; date: unknown }> {
    try {
      const signal = AbortSignal.timeout(this.#timeouts.probeMs);
      const response = await this.#pool.request({ method: "GET", path, signal }, new Delivery());
      if (response.statusCode === 200) {
        const json = await readBody(response.body);
        return { body: JSON.parse(json.toString()) as unknown, date: response.headers["date"] };
      }
      await response.body.dump();
    } catch (cause) {
      throw new ApiError("upstream_unreachable", { cause });
    }
    throw new ApiError("upstream_failed");
  }
}

/** @throws ApiError if it is too long, or what `onLength` throws */
async function readBody(body: AsyncIterable<unknown>, onLength?: (bytes: number) => void): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (onLength !== undefined) onLength(length);
    else if (length > MAX_JSON_BYTES) throw responseTooLong();
  }
  return Buffer.concat(chunks);
}

function responseTooLong(): ApiError {
  return new ApiError("upstream_failed", { message: "Ollama sent a response that is too long." });
}

function parseResponse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // No `cause`: the parser's message quotes the response.
    throw new ApiError("upstream_failed", { message: "Ollama sent a response that is not JSON." });
  }
}
