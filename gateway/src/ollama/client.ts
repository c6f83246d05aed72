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

// Longer than the default of 4 s, so that a request now and then needs no new connection.
const KEEP_ALIVE_MS = 60_000;

// Nothing of the client's headers goes upstream.
const JSON_HEADERS = { "content-type": "application/json", accept: "application/json" };
const GENERATE_HEADERS = { "content-type": "application/json", accept: "application/x-ndjson" };

const UNARY_TIMEOUTS = { beginning: "answer_timeout", silence: "answer_timeout" } as const;

/** How long Ollama may take, in milliseconds. */
export interface OllamaTimeouts {
  readonly connectMs: number;
  /** For its version and its lists of models. */
  readonly probeMs: number;
  /** For a response that is not streamed. */
  readonly responseMs: number;
  readonly firstTokenMs: number;
  /** Between two pieces of a stream. */
  readonly idleMs: number;
}

export interface JsonRequestOptions {
  readonly signal: AbortSignal;
  /** The request's place in a trace. */
  readonly traceparent?: string | undefined;
  /** Called as the response arrives, with its bytes so far. It may throw. */
  readonly onLength?: (bytes: number) => void;
}

/** Talks to one Ollama server over its native API. */
export class OllamaClient {
  readonly #timeouts: OllamaTimeouts;
  readonly #origin: string;
  #pool: ConnectionPool;

  constructor(timeouts: OllamaTimeouts, { host, port }: BackendAddress) {
    this.#timeouts = timeouts;
    this.#origin = `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
    this.#pool = this.#newPool();
  }

  /** Makes new connections from now on: the server's name means another address. What is under way goes on. */
  reconnect(): void {
    const old = this.#pool;
    this.#pool = this.#newPool();
    void old.close();
  }

  /** Makes no new requests; the connections of those under way close when they have ended. */
  retire(): void {
    void this.#pool.close();
  }

  /**
   * Sends a generating request and hands the answer's events to the reader. Resolves when the last event was read; the
   * answer is complete then, and only then. Never retries.
   *
   * @param abortable when it is given up, so is the request
   * @param traceparent the request's place in a trace, for Ollama or what may stand before it
   *
   * @throws ApiError why it was given up, or what went wrong
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
      const whole = !body.stream;
      const exchange = new GenerateStream({
        model: body.model,
        reader,
        abortable,
        timeouts: whole
          ? { beginning: "answer_timeout", silence: "answer_timeout" }
          : { beginning: "first_token_timeout", silence: "idle_timeout" },
        settled(error) {
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
          // Ollama sends its headers with the first token, or with the complete response when it does not stream.
          headersTimeout: whole ? this.#timeouts.responseMs : this.#timeouts.firstTokenMs,
          bodyTimeout: this.#timeouts.idleMs,
        },
        exchange,
      );
    });
  }

  /**
   * Sends a request whose response comes at once and complete: what a model is, what is loaded.
   *
   * @throws ApiError the signal's reason, or what went wrong
   */
  async request(question: UnaryRequest, signal: AbortSignal): Promise<unknown> {
    return parseAnswer((await this.requestJson(question, { signal })).toString());
  }

  /**
   * The same, but the response's JSON as it comes: to parse that of a large one at once would hold everybody up.
   *
   * @throws ApiError the signal's reason, what went wrong, or what `onLength` throws
   */
  async requestJson(
    { method, path, model, body, isLarge }: UnaryRequest,
    { signal, traceparent, onLength }: JsonRequestOptions,
  ): Promise<Buffer> {
    const delivery = new Delivery();
    try {
      const answer = await this.#pool.request(
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
      const chunks: Buffer[] = [];
      let length = 0;
      for await (const chunk of answer.body as AsyncIterable<Buffer>) {
        chunks.push(chunk);
        length += chunk.length;
        onLength?.(length);
      }
      const json = Buffer.concat(chunks);
      if (answer.statusCode === 200) return json;
      throw fromStatus(answer.statusCode, json.toString(), model ?? "");
    } catch (error) {
      throw fromConnectionError(error as Error, delivery.stage, {
        ...UNARY_TIMEOUTS,
        // It changes nothing and has nothing of a client's in it.
        repeatable: method === "GET",
      });
    }
  }

  /**
   * Passes a request on and hands its answer back, whatever it is.
   *
   * @throws ApiError the signal's reason, or why no answer came
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
          // What was pulled is checked without a word, which takes a large model minutes.
          bodyTimeout: this.#timeouts.responseMs,
          ...contentOf(body, isLarge),
        },
        delivery,
      );
    } catch (error) {
      throw fromConnectionError(error as Error, delivery.stage, UNARY_TIMEOUTS);
    }
  }

  /** The models that are present. @throws ApiError */
  async models(): Promise<readonly OllamaModel[]> {
    const { body } = await this.#get("/api/tags");
    return (body as { models?: readonly OllamaModel[] | null }).models ?? [];
  }

  /** The models that are loaded, and the time on the server's clock. @throws ApiError */
  async running(): Promise<{ models: readonly OllamaRunning[]; now: number }> {
    const { body, date } = await this.#get("/api/ps");
    return {
      models: (body as { models?: readonly OllamaRunning[] | null }).models ?? [],
      now: typeof date === "string" ? Date.parse(date) : Date.now(),
    };
  }

  /** The server's version; that it answers is what matters. @throws ApiError */
  async version(): Promise<string> {
    const { body } = await this.#get("/api/version");
    return String((body as { version?: unknown }).version);
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  // Connections are not counted: admission bounds what generates, and a probe must never wait for those.
  #newPool(): ConnectionPool {
    return new ConnectionPool(this.#origin, {
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectMs: this.#timeouts.connectMs,
    });
  }

  async #get(path: string): Promise<{ body: unknown; date: unknown }> {
    try {
      const signal = AbortSignal.timeout(this.#timeouts.probeMs);
      const answer = await this.#pool.request({ method: "GET", path, signal }, new Delivery());
      if (answer.statusCode === 200) return { body: await answer.body.json(), date: answer.headers["date"] };
      await answer.body.dump();
    } catch (cause) {
      throw new ApiError("upstream_unreachable", { cause });
    }
    throw new ApiError("upstream_failed");
  }
}

function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not as a cause: the parser's message quotes the answer.
    throw new ApiError("upstream_failed", { message: "Ollama sent an answer that is not JSON." });
  }
}
