import { type SafeSchema, makeSafe } from "./make-safe.ts";
import type { JsonSchema } from "./references.ts";

/** Clients send few schemas, each with every request. */
const MAX_SCHEMAS = 64;
/** Longer ones are made safe each time. */
const MAX_TEXT = 32_768;

/** Schemas that were made safe, by their text; the one that was used longest ago goes first. */
const known = new Map<string, SafeSchema>();

/** As makeSafe, which a schema goes through once. @throws ApiError */
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
