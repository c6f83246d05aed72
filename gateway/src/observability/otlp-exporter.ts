import type { FastifyBaseLogger } from "fastify";

export interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue: string } | { readonly intValue: number };
}

/** A span in OTLP's JSON format. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly status?: { readonly code: number };
}

export interface Destination {
  /** Base URL of OTLP over HTTP; spans go to `/v1/traces`, metrics to `/v1/metrics`. */
  readonly endpoint: string;
  readonly serviceName: string;
  readonly scope: { readonly name: string; readonly version: string };
  /** Interval between exports, in milliseconds. */
  readonly intervalMs: number;
}

const SEND_TIMEOUT_MS = 10_000;

// For everything that is still to be sent when the gateway stops, which has few seconds left.
const CLOSE_TIMEOUT_MS = 2000;

/** Exports to an OpenTelemetry collector as OTLP in JSON: at intervals, on `flush()` and on `close()`. */
export abstract class OtlpExporter {
  readonly #destination: Destination;
  readonly #logger: FastifyBaseLogger;
  readonly #timer: NodeJS.Timeout;
  readonly #closing = new AbortController();
  #sending: Promise<void> = Promise.resolve();
  #failing = false;

  constructor(destination: Destination, logger: FastifyBaseLogger) {
    this.#destination = destination;
    this.#logger = logger;
    this.#timer = setInterval(() => void this.flush(), destination.intervalMs).unref();
  }

  /** Sends what there is to send, after the sends in progress. Never rejects. */
  flush(): Promise<void> {
    this.#sending = this.#sending.then(() => this.send());
    return this.#sending;
  }

  /** Flushes, in two seconds at most. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    const deadline = setTimeout(() => {
      this.#closing.abort(new Error(`not sent within ${CLOSE_TIMEOUT_MS} ms of the shutdown`));
    }, CLOSE_TIMEOUT_MS);
    await this.flush();
    clearTimeout(deadline);
  }

  /** Sends what there is to send with `post()`. Never rejects. */
  protected abstract send(): Promise<void>;

  /**
   * Posts to a path of the collector. Never rejects; logs only the first of several failures in a row.
   *
   * @param bodyFor builds the body
   * @param failure describes a failure in the log
   * @returns whether the collector accepted the body
   */
  protected async post(
    path: string,
    bodyFor: (resource: object, scope: Destination["scope"]) => object | Promise<object>,
    failure: { readonly message: string; readonly hint?: string },
  ): Promise<boolean> {
    const { endpoint, serviceName, scope } = this.#destination;
    const resource = { attributes: [{ key: "service.name", value: { stringValue: serviceName } }] };
    try {
      const response = await fetch(endpoint + path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(await bodyFor(resource, scope)),
        signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(SEND_TIMEOUT_MS)]),
      });
      await response.body?.cancel();
      if (!response.ok) throw new Error(`the collector responded with status ${response.status}`);
      this.#failing = false;
      return true;
    } catch (error) {
      const { message, ...details } = failure;
      if (!this.#failing) this.#logger.warn({ endpoint, error: String(error), ...details }, message);
      this.#failing = true;
      return false;
    }
  }
}

// Defaults of the batch span processor in OpenTelemetry's specification.
const MAX_WAITING = 2048;
const MAX_BATCH = 512;

/**
 * Exports spans. Those that the collector does not accept are dropped: tracing never delays a request nor fills the
 * memory. OpenTelemetry's own SDK would double the size of the gateway.
 */
export class SpanExporter extends OtlpExporter {
  /** Number of dropped spans. */
  dropped = 0;
  #waiting: Span[] = [];

  add(span: Span): void {
    if (this.#waiting.length >= MAX_WAITING) this.dropped += 1;
    else this.#waiting.push(span);
  }

  /** Sends all queued spans in batches. */
  protected override async send(): Promise<void> {
    while (this.#waiting.length > 0) {
      const spans = this.#waiting.splice(0, MAX_BATCH);
      const accepted = await this.post(
        "/v1/traces",
        (resource, scope) => ({ resourceSpans: [{ resource, scopeSpans: [{ scope, spans }] }] }),
        { message: "cannot export traces, dropping them" },
      );
      if (!accepted) this.dropped += spans.length;
    }
  }
}
