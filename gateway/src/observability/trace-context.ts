import { randomBytes } from "node:crypto";

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

/** Undefined when the header is not a valid `traceparent`. */
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
