import { randomBytes } from "node:crypto";
import packageJson from "../../package.json" with { type: "json" };
import { OPERATIONS } from "./operation-names.ts";
import { PROBES } from "./request-log.ts";
import type { RequestRecord } from "./request-record.ts";
import type { Attribute, Span, SpanExporter } from "./otlp-exporter.ts";

/** Where a request stands in a trace, as W3C's `traceparent` has it. */
export interface Trace {
  readonly traceId: string;
  /** The span of whoever sent the request. */
  readonly parentId: string | undefined;
  readonly sampled: boolean;
  /** The spans that are recorded here: of the request, and of what Ollama does for it. */
  readonly spanId: string;
  readonly upstreamSpanId: string;
  /** The header that goes to Ollama. */
  readonly traceparent: string;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
const SAMPLED = 1;

const SERVER = 2;
const CLIENT = 3;
const INTERNAL = 1;
const STATUS_ERROR = 2;

export const SCOPE = { name: packageJson.name, version: packageJson.version };

/** Takes a request's place in its trace, and records spans when there is somewhere to send them. */
export class Tracing {
  readonly #exporter: SpanExporter | undefined;

  constructor(exporter: SpanExporter | undefined) {
    this.#exporter = exporter;
  }

  /** Undefined when the request belongs to no trace and none is recorded. */
  begin(header: string | undefined): Trace | undefined {
    const parent = header === undefined ? undefined : parse(header);
    if (this.#exporter === undefined) return parent;
    const { traceId, parentId, sampled } = parent ?? {
      traceId: hex(16),
      parentId: undefined,
      sampled: true,
    };
    const upstreamSpanId = hex(8);
    const traceparent = `00-${traceId}-${upstreamSpanId}-${sampled ? "01" : "00"}`;
    return { traceId, parentId, sampled, spanId: hex(8), upstreamSpanId, traceparent };
  }

  /** Records a request that has ended: a span of its own, and one for each thing it spent its time on. */
  end(record: RequestRecord, method: string, route: string, status: number, requestId: string): void {
    const { trace } = record;
    if (this.#exporter === undefined || trace?.sampled !== true || PROBES.has(route)) return;
    const start = record.startedAt;
    const end = start + record.elapsedMs();
    const { admitted, error } = record;
    const failed = error === undefined ? {} : { status: { code: STATUS_ERROR } };
    const named = error === undefined ? [] : [text("error.type", error.code)];
    const add = (
      span: Omit<Span, "traceId" | "startTimeUnixNano" | "endTimeUnixNano">,
      from: number,
      to: number,
    ) => {
      const times = { startTimeUnixNano: nanoseconds(from), endTimeUnixNano: nanoseconds(to) };
      this.#exporter?.add({ traceId: trace.traceId, ...span, ...times });
    };
    const within = (name: string, attributes: Attribute[] = []) => ({
      spanId: hex(8),
      parentSpanId: trace.spanId,
      name,
      kind: INTERNAL,
      attributes,
    });

    add(
      {
        spanId: trace.spanId,
        ...(trace.parentId === undefined ? {} : { parentSpanId: trace.parentId }),
        name: `${method} ${route}`,
        kind: SERVER,
        attributes: [
          text("http.request.method", method),
          text("http.route", route),
          whole("http.response.status_code", status),
          text("gateway.request_id", requestId),
          ...named,
        ],
        ...(status >= 500 || (error?.status ?? 0) >= 500 ? failed : {}),
      },
      start,
      end,
    );
    if (admitted === undefined) return;
    const { turns } = admitted;
    for (const { since, loadMs, queueMs } of turns) {
      if (loadMs > 0) add(within("load"), since, since + loadMs);
      if (queueMs > 1) add(within("queue"), since + loadMs, since + loadMs + queueMs);
    }
    const began = turns[0]?.heldSince;
    if (began === undefined) return;
    const operation = OPERATIONS[admitted.wanted.path] ?? "other";
    add(
      {
        spanId: trace.upstreamSpanId,
        parentSpanId: trace.spanId,
        name: `${operation} ${admitted.wanted.model}`,
        kind: CLIENT,
        attributes: [
          text("gen_ai.operation.name", operation),
          text("gen_ai.provider.name", "ollama"),
          text("gen_ai.request.model", admitted.wanted.model),
          text("server.address", admitted.backendName ?? ""),
          ...(record.usage === undefined
            ? []
            : [
                whole("gen_ai.usage.input_tokens", record.usage.prompt_tokens),
                whole("gen_ai.usage.output_tokens", record.usage.completion_tokens),
              ]),
          ...named,
        ],
        ...failed,
      },
      began,
      end,
    );
  }
}

function parse(header: string): Trace | undefined {
  const [, version, traceId = "", parentId = "", flags = ""] = TRACEPARENT.exec(header) ?? [];
  if (version === undefined || version === "ff" || /^0+$/.test(traceId) || /^0+$/.test(parentId))
    return undefined;
  const sampled = (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED;
  return { traceId, parentId, sampled, spanId: "", upstreamSpanId: "", traceparent: header };
}

function hex(bytes: number): string {
  return randomBytes(bytes).toString("hex");
}

function text(key: string, value: string): Attribute {
  return { key, value: { stringValue: value } };
}

function whole(key: string, value: number): Attribute {
  return { key, value: { intValue: value } };
}

/** @param at ms since this process began */
function nanoseconds(at: number): string {
  return `${BigInt(Math.round((performance.timeOrigin + at) * 1000)) * 1000n}`;
}
