import { createHash } from "node:crypto";

/** Names, for an update that only records keys, those that the gateways have just taken. */
export const appliedKeysVariable = "OLLAMA_STACK_APPLIED_KEYS";

// What says which file of which engine they are in, and who reads it.
const places = ["DOCKER_HOST", "DOCKER_CERT_PATH", "KEYS_VOLUME", "KEYS_FILE", "KEYS_IMAGE", "KEYS_GATEWAYS"];

/**
 * Stands for keys and where they were put: the same for the same alone.
 *
 * @param lines the content of the file of keys
 */
export function appliedKeys(environment: NodeJS.ProcessEnv, lines: string): string {
  const values = places.map((name) => environment[name] ?? "");
  return createHash("sha256")
    .update(JSON.stringify([...values, lines]))
    .digest("hex");
}
