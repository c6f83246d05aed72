/**
 * The one spelling of a model's name, for comparing: Ollama takes `smollm2` for `smollm2:latest` and does not tell
 * upper case from lower case.
 */
export function canonicalModelName(name: string): string {
  const lower = name.toLowerCase();
  // A colon before the last slash belongs to a registry's port.
  return lower.includes(":", lower.lastIndexOf("/") + 1) ? lower : `${lower}:latest`;
}
