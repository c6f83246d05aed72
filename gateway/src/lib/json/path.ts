/** Keys and indexes from the root of a JSON text. */
export type JsonPath = readonly PropertyKey[];

// Keys can be as long as the body.
const MAX_LENGTH = 200;

/** Formats a path as OpenAI does, `messages[0].role`, and truncates a long one. */
export function writePath(path: JsonPath): string {
  let written = "";
  for (const key of path) {
    if (typeof key === "number") written += `[${key}]`;
    else written += written === "" ? String(key) : `.${String(key)}`;
    if (written.length > MAX_LENGTH) return `${written.slice(0, MAX_LENGTH)}...`;
  }
  return written;
}
