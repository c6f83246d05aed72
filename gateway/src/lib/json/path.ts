/** Where in a JSON text something is: keys and indexes, from the root. */
export type JsonPath = readonly PropertyKey[];

// Enough to find the place; a key may be as long as the body.
const MAX_LENGTH = 200;

/** Writes a path as OpenAI does, `messages[0].role`; the end of a long one is left out. */
export function writePath(path: JsonPath): string {
  let written = "";
  for (const key of path) {
    if (typeof key === "number") written += `[${key}]`;
    else written += written === "" ? String(key) : `.${String(key)}`;
    if (written.length > MAX_LENGTH) return `${written.slice(0, MAX_LENGTH)}...`;
  }
  return written;
}
