import { Readable } from "node:stream";
import { jsonPieces } from "../lib/json/pieces.ts";

/** A request to forward: objects are sent as JSON, streams as their bytes. */
export interface ProxyRequest {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly isLarge?: boolean;
}

// Larger bodies are serialized in chunks.
const LARGE_BYTES = 1024 * 1024;

/** @param cost size of the body in bytes */
export function isLarge(cost: number): boolean {
  return cost > LARGE_BYTES;
}

/** Serializes a body. With `inChunks`, yields to the event loop between chunks. */
export function toJson(body: unknown, inChunks = false): string | Readable {
  return inChunks ? Readable.from(jsonPieces(body), { objectMode: false }) : JSON.stringify(body);
}

export function contentOf(
  body: unknown,
  inChunks = false,
): { headers?: Record<string, string>; body?: string | Readable } {
  if (body === undefined || body === null) return {};
  if (body instanceof Readable) return { headers: { "content-type": "application/octet-stream" }, body };
  return { headers: { "content-type": "application/json" }, body: toJson(body, inChunks) };
}
