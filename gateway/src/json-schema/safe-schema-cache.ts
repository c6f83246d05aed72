import type { JsonSchema } from "./limits/position.ts";
import { type SafeSchema, makeSafe } from "./make-safe.ts";

/** Clients send few different schemas, but one with every request. */
const MAX_SCHEMAS = 64;
/** Longer schemas are not cached. */
const MAX_TEXT = 32_768;

/** Safe schemas by text, in LRU order. */
const known = new Map<string, SafeSchema>();

/**
 * Like `makeSafe`, with a cache.
 *
 * @throws ApiError
 */
export function safeSchema(schema: JsonSchema, param: string): SafeSchema {
  const text = JSON.stringify(schema);
  const remembered = known.get(text);
  const safe = remembered ?? makeSafe(schema, param);
  if (text.length > MAX_TEXT) return safe;
  known.delete(text);
  known.set(text, safe);
  const [oldest] = known.keys();
  if (known.size > MAX_SCHEMAS && oldest !== undefined) known.delete(oldest);
  return safe;
}
