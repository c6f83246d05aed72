const HOST = "registry.ollama.ai/";
const NAMESPACE = "library/";

/**
 * Normalizes a model name for comparison: `smollm2`, `library/smollm2` and `registry.ollama.ai/library/smollm2` all
 * mean `smollm2:latest`, and case does not matter.
 */
export function canonicalModelName(name: string): string {
  const known = latest.get(name);
  if (known !== undefined) return known;
  const canonical = canonicalOf(name);
  if (name.length <= MAX_LENGTH) {
    if (latest.size >= MAX_LATEST) latest.clear();
    latest.set(name, canonical);
  }
  return canonical;
}

// Names are used as map keys, and hashing a long string is slow. No model has a longer name.
const MAX_LENGTH = 256;
const MAX_LATEST = 256;
const latest = new Map<string, string>();

function canonicalOf(name: string): string {
  const short = withoutDefaults(name.toLowerCase());
  // A colon before the last slash belongs to the registry's port.
  return short.includes(":", short.lastIndexOf("/") + 1) ? short : `${short}:latest`;
}

function withoutDefaults(name: string): string {
  const slash = name.indexOf("/");
  if (slash === -1) return name;
  const qualified = name.startsWith("https://") ? name.slice("https://".length) : name;
  // With a single slash, the first part is the namespace.
  const path =
    qualified.startsWith(HOST) && qualified.includes("/", HOST.length)
      ? qualified.slice(HOST.length)
      : qualified;
  return path.startsWith(NAMESPACE) && !path.includes("/", NAMESPACE.length)
    ? path.slice(NAMESPACE.length)
    : path;
}
