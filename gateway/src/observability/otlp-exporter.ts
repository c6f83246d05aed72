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

// Defaults of the batch span processor in OpenTelemetry's specification.
const MAX_WAITING = 2048;
const MAX_BATCH = 512;
const SEND_TIMEOUT_MS = 10_000;

/**
 * Exports spans to an OpenTelemetry collector as OTLP in JSON. Spans that the collector does not accept are dropped:
 * tracing never delays a request nor fills the memory. OpenTelemetry's own SDK would double the size of the gateway.
 */
export class SpanExporter {
  /** Number of dropped spans. */
  dropped = 0;
  readonly #destination: Destination;
  readonly #logger: FastifyBaseLogger;
  readonly #timer: NodeJS.Timeout;
  #waiting: Span[] = [];
  #sending: Promise<void> = Promise.resolve();
  #failing = false;

  constructor(destination: Destination, logger: FastifyBaseLogger) {
    this.#destination = destination;
    this.#logger = logger;
    this.#timer = setInterval(() => void this.flush(), destination.intervalMs).unref();
  }

  add(span: Span): void {
    if (this.#waiting.length >= MAX_WAITING) this.dropped += 1;
    else this.#waiting.push(span);
  }

  /** Sends all queued spans in batches. Never rejects. */
  flush(): Promise<void> {
    this.#sending = this.#sending.then(async () => {
      while (this.#waiting.length > 0) await this.#send(this.#waiting.splice(0, MAX_BATCH));
    });
    return this.#sending;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  async #send(spans: readonly Span[]): Promise<void> {
    const { endpoint, serviceName, scope } = this.#destination;
    const resource = { attributes: [{ key: "service.name", value: { stringValue: serviceName } }] };
    try {
      const response = await fetch(`${endpoint}/v1/traces`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope, spans }] }] }),
        signal: AbortSignal.timeout(SEND_TIMEOUT_MS),
      });
      await response.body?.cancel();
      if (!response.ok) throw new Error(`the collector responded with status ${response.status}`);
      this.#failing = false;
    } catch (error) {
      this.dropped += spans.length;
      // Log only the first failure.
      if (!this.#failing)
        this.#logger.warn({ endpoint, error: String(error) }, "cannot export traces, dropping them");
      this.#failing = true;
    }
  }
}
