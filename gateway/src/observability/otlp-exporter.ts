import type { FastifyBaseLogger } from "fastify";

export interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue: string } | { readonly intValue: number };
}

/** A span as OTLP writes it in JSON. */
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
  /** OTLP over HTTP; spans go to `/v1/traces` below it, metrics to `/v1/metrics`. */
  readonly endpoint: string;
  readonly serviceName: string;
  readonly scope: { readonly name: string; readonly version: string };
  /** How often it is sent what has been gathered, ms. */
  readonly intervalMs: number;
}

// The specification's defaults for gathering and sending spans.
const MAX_WAITING = 2048;
const MAX_BATCH = 512;
const SEND_TIMEOUT_MS = 10_000;

/**
 * Sends spans to an OpenTelemetry collector as OTLP in JSON, in the background. What a collector does not take is lost:
 * traces never hold a request up, nor fill the memory. (OpenTelemetry's own SDK would double the size of the gateway.)
 */
export class SpanExporter {
  /** Spans that were lost. */
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

  /** Sends what has been gathered, one batch after another. Never rejects. */
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
      const answer = await fetch(`${endpoint}/v1/traces`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope, spans }] }] }),
        signal: AbortSignal.timeout(SEND_TIMEOUT_MS),
      });
      await answer.body?.cancel();
      if (!answer.ok) throw new Error(`the collector answered with status ${answer.status}`);
      this.#failing = false;
    } catch (error) {
      this.dropped += spans.length;
      // Once, not with every batch.
      if (!this.#failing) this.#logger.warn({ endpoint, error: String(error) }, "traces are lost");
      this.#failing = true;
    }
  }
}
