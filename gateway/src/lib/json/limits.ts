import type { JsonPath } from "./path.ts";

// Limits on a JSON text, independent of its length. They are far above what clients send (2,048 messages with 200 tools
// have about 30,000 values), but a body at all limits is validated and translated in well under 50 ms.

/**
 * Nesting depth. Schemas are a few dozen levels deep; recursive code such as JSON.stringify overflows the stack at some
 * thousands.
 */
export const MAX_DEPTH = 128;

/** Total number of values. An object takes over 50 bytes of memory for two bytes of text. */
export const MAX_VALUES = 100_000;

/** Elements per array. */
export const MAX_ELEMENTS = 65_536;

/** Keys per object. */
export const MAX_KEYS = 16_384;

/** Bytes per key. */
export const MAX_KEY_BYTES = 16_384;

/** Characters per number, twice the length of the longest double in usual notation. */
export const MAX_NUMBER_LENGTH = 64;

export type JsonLimit = "depth" | "values" | "elements" | "keys" | "key" | "number" | "range" | "prototype";

/** A JSON text exceeds a limit. */
export class JsonLimitError extends Error {
  override readonly name = "JsonLimitError";
  readonly limit: JsonLimit;
  readonly path: JsonPath;

  constructor(limit: JsonLimit, path: JsonPath) {
    super(`JSON exceeds the limit on ${limit}`);
    this.limit = limit;
    this.path = path;
  }
}
