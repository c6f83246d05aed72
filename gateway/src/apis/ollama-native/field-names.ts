/**
 * An object with its fields named as Ollama documents them. Ollama takes `Model` for `model`, and the last of several
 * spellings counts: what the gateway has looked at has to be what Ollama reads. A field that Ollama cannot have is left
 * out.
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

/** Go's decoder folds as Unicode does: `ſ` is an `s` to it, and the Kelvin sign a `k`. */
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
