/**
 * Normalizes field names to Ollama's spelling. Ollama ignores case, and the last of several spellings wins, so the
 * gateway must see what Ollama will use. Fields that cannot be Ollama's are dropped.
 */
export function withOwnFieldNames(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  if (Object.keys(value).every(isOwnSpelling)) return value;
  const renamed: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    const own = isOwnSpelling(name) ? name : ownSpelling(name);
    if (isOwnSpelling(own)) renamed[own] = field;
  }
  return renamed;
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
