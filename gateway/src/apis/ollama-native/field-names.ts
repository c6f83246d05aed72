import { ApiError } from "../../errors.ts";

// Twice what Ollama's objects have. Renaming 100,000 fields takes over 100 ms.
const MAX_FIELDS = 64;
const MAX_MESSAGE_FIELDS = 16;

/**
 * Normalizes field names to Ollama's spelling. Ollama ignores case, and the last of several spellings wins, so the
 * gateway must see what Ollama will use. Fields that cannot be Ollama's are dropped.
 *
 * @throws ApiError `invalid_value` if there are too many to rename
 */
export function withOwnFieldNames(value: unknown): unknown {
  return renamed(value, MAX_FIELDS);
}

/** Like `withOwnFieldNames`, for one of up to 2,048 messages. */
export function messageWithOwnFieldNames(value: unknown): unknown {
  return renamed(value, MAX_MESSAGE_FIELDS);
}

function renamed(value: unknown, maxFields: number): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const names = Object.keys(value);
  if (names.every(isOwnSpelling)) return value;
  if (names.length > maxFields) throw tooManyFields(maxFields);
  const result: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    const own = isOwnSpelling(name) ? name : ownSpelling(name);
    if (isOwnSpelling(own)) result[own] = field;
  }
  return result;
}

function tooManyFields(maxFields: number): ApiError {
  return new ApiError("invalid_value", {
    message:
      `An object has more than ${maxFields} fields, some of them not in lower case. ` +
      "Leave out those that Ollama does not have.",
  });
}

/** Go's decoder uses Unicode case folding: `ſ` equals `s`, and the Kelvin sign `k`. */
function ownSpelling(name: string): string {
  return name.toUpperCase().toLowerCase();
}

function isOwnSpelling(name: string): boolean {
  for (let at = 0; at < name.length; at += 1) {
    const code = name.charCodeAt(at);
    const isOwn = (code >= 0x61 && code <= 0x7a) || code === 0x5f || (code >= 0x30 && code <= 0x39);
    if (!isOwn) return false;
  }
  return name !== "";
}
