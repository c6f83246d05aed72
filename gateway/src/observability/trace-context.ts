import { randomBytes } from "node:crypto";

/** A request's position in a trace, as in W3C's `traceparent`. */
export interface Trace {
  readonly traceId: string;
  /** The sender's span. */
  readonly parentId: string | undefined;
  readonly sampled: boolean;
  /** Spans recorded here: one for the request, one for Ollama. */
  readonly spanId: string;
  readonly upstreamSpanId: string;
  /** Header for the request to Ollama. */
  readonly traceparent: string;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
const SAMPLED = 1;

/** Undefined for an invalid `traceparent` header. */
export function parseTraceparent(header: string): Trace | undefined {
  const [, version, traceId = "", parentId = "", flags = ""] = TRACEPARENT.exec(header) ?? [];
  if (version === undefined || version === "ff" || /^0+$/.test(traceId) || /^0+$/.test(parentId))
    return undefined;
  const sampled = (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED;
  return { traceId, parentId, sampled, spanId: "", upstreamSpanId: "", traceparent: header };
}

export function randomHex(bytes: number): string {
  return randomBytes(bytes).toString("hex");
}
