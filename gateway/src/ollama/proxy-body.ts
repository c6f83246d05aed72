import { Readable } from "node:stream";
import { jsonPieces } from "../lib/json/pieces.ts";

/** A request that is passed on as it came: an object as JSON, a stream as its bytes. */
export interface ProxyRequest {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly isLarge?: boolean;
}

// From here on, what is made of a body is made in pieces.
const LARGE_BYTES = 1024 * 1024;

/** @param cost what the body takes, bytes */
export function isLarge(cost: number): boolean {
  return cost > LARGE_BYTES;
}

/** A request's JSON. To write that of a large one at once would hold everybody up. */
export function toJson(body: unknown, inPieces = false): string | Readable {
  return inPieces ? Readable.from(jsonPieces(body), { objectMode: false }) : JSON.stringify(body);
}

export function contentOf(
  body: unknown,
  inPieces = false,
): { headers?: Record<string, string>; body?: string | Readable } {
  if (body === undefined || body === null) return {};
  if (body instanceof Readable) return { headers: { "content-type": "application/octet-stream" }, body };
  return { headers: { "content-type": "application/json" }, body: toJson(body, inPieces) };
}
