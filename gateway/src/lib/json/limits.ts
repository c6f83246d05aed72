import type { JsonPath } from "./path.ts";

// Bounds on a JSON text, whatever its length. They are far above what clients send (a conversation of 2,048 messages
// with 200 tools has about 30,000 values), and low enough that a body at all of them is validated and translated well
// within 50 ms.

/**
 * How deep a JSON text may be nested. Schemas are a few dozen levels deep; what reads or writes JSON by recursion, as
 * JSON.stringify does, fails at some thousands.
 */
export const MAX_DEPTH = 128;

/** Values in a text, nested ones included. An object takes 50 bytes of memory and more for two bytes of text. */
export const MAX_VALUES = 100_000;

/** Elements of one array. */
export const MAX_ELEMENTS = 65_536;

/** Keys of one object. */
export const MAX_KEYS = 16_384;

/** Bytes of one key. */
export const MAX_KEY_BYTES = 16_384;

/** Characters of one number: twice those of the longest double, as it is usually written. */
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
