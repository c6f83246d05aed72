import packageJson from "../../package.json" with { type: "json" };
import { OPERATIONS } from "./operation-names.ts";
import { PROBES } from "./probe-routes.ts";
import type { RequestRecord } from "./request-record.ts";
import type { Attribute, Span, SpanExporter } from "./otlp-exporter.ts";
import { type Trace, parseTraceparent, randomHex } from "./trace-context.ts";

const SERVER = 2;
const CLIENT = 3;
const INTERNAL = 1;
const STATUS_ERROR = 2;

export const SCOPE = { name: packageJson.name, version: packageJson.version };

/** Assigns trace contexts to requests, and records spans if there is an exporter. */
export class Tracing {
  readonly #exporter: SpanExporter | undefined;

  constructor(exporter: SpanExporter | undefined) {
    this.#exporter = exporter;
  }

  /** Undefined if the request is not traced. */
  begin(header: string | undefined): Trace | undefined {
    const parent = header === undefined ? undefined : parseTraceparent(header);
    if (this.#exporter === undefined) return parent;
    const { traceId, parentId, sampled } = parent ?? {
      traceId: randomHex(16),
      parentId: undefined,
      sampled: true,
    };
    const upstreamSpanId = randomHex(8);
    const traceparent = `00-${traceId}-${upstreamSpanId}-${sampled ? "01" : "00"}`;
    return { traceId, parentId, sampled, spanId: randomHex(8), upstreamSpanId, traceparent };
  }

  /** Records the span of a finished request, and one per phase. */
  end(record: RequestRecord, method: string, route: string, status: number, requestId: string): void {
    const { trace } = record;
    if (this.#exporter === undefined || trace?.sampled !== true || PROBES.has(route)) return;
    const start = record.startedAt;
    const end = start + record.elapsedMs();
    const { admitted, error } = record;
    const failed = error === undefined ? {} : { status: { code: STATUS_ERROR } };
    const errorAttributes = error === undefined ? [] : [stringAttribute("error.type", error.code)];
    const add = (
      span: Omit<Span, "traceId" | "startTimeUnixNano" | "endTimeUnixNano">,
      from: number,
      to: number,
    ) => {
      const times = { startTimeUnixNano: nanoseconds(from), endTimeUnixNano: nanoseconds(to) };
      this.#exporter?.add({ traceId: trace.traceId, ...span, ...times });
    };
    const within = (name: string, attributes: Attribute[] = []) => ({
      spanId: randomHex(8),
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
          stringAttribute("http.request.method", method),
          stringAttribute("http.route", route),
          intAttribute("http.response.status_code", status),
          stringAttribute("gateway.request_id", requestId),
          ...errorAttributes,
        ],
        ...(status >= 500 || (error?.status ?? 0) >= 500 ? failed : {}),
      },
      start,
      end,
    );
    if (admitted === undefined) return;
    const { allTimings } = admitted;
    for (const { since, loadMs, queueMs } of allTimings) {
      if (loadMs > 0) add(within("load"), since, since + loadMs);
      if (queueMs > 1) add(within("queue"), since + loadMs, since + loadMs + queueMs);
    }
    const began = allTimings[0]?.heldSince;
    if (began === undefined) return;
    const operation = OPERATIONS[admitted.requirement.path] ?? "other";
    add(
      {
        spanId: trace.upstreamSpanId,
        parentSpanId: trace.spanId,
        name: `${operation} ${admitted.requirement.model}`,
        kind: CLIENT,
        attributes: [
          stringAttribute("gen_ai.operation.name", operation),
          stringAttribute("gen_ai.provider.name", "ollama"),
          stringAttribute("gen_ai.request.model", admitted.requirement.model),
          stringAttribute("server.address", admitted.backendName ?? ""),
          ...(record.usage === undefined
            ? []
            : [
                intAttribute("gen_ai.usage.input_tokens", record.usage.prompt_tokens),
                intAttribute("gen_ai.usage.output_tokens", record.usage.completion_tokens),
              ]),
          ...errorAttributes,
        ],
        ...failed,
      },
      began,
      end,
    );
  }
}

function stringAttribute(key: string, value: string): Attribute {
  return { key, value: { stringValue: value } };
}

function intAttribute(key: string, value: number): Attribute {
  return { key, value: { intValue: value } };
}

/** @param at by `performance.now()` */
function nanoseconds(at: number): string {
  return `${BigInt(Math.round((performance.timeOrigin + at) * 1000)) * 1000n}`;
}
