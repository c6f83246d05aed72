import { Readable } from "node:stream";

/** A request that is passed on as it came: an object as JSON, a stream as its bytes. */
export interface OllamaForwarded {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

export function contentOf(body: unknown): { headers?: Record<string, string>; body?: string | Readable } {
  if (body === undefined || body === null) return {};
  if (body instanceof Readable) return { headers: { "content-type": "application/octet-stream" }, body };
  return { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}
