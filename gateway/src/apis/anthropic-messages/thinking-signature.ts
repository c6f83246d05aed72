/**
 * The `signature` of a thinking block. Anthropic's contains the encrypted thinking; this one is not encrypted. It
 * contains a version, and the thinking only if the client has hidden it.
 */
const VERSION = "ollama-stack-1";

/** @param hidden thinking omitted from the block but needed for the next turn */
export function signThinking(hidden = ""): string {
  return hidden === "" ? VERSION : `${VERSION}.${Buffer.from(hidden).toString("base64url")}`;
}

/** Returns the thinking of a block from a client: its text, else the content of its signature. */
export function readThinking({
  thinking,
  signature,
}: {
  readonly thinking?: string | null | undefined;
  readonly signature?: unknown;
}): string {
  if (thinking) return thinking;
  if (typeof signature !== "string" || !signature.startsWith(`${VERSION}.`)) return "";
  return Buffer.from(signature.slice(VERSION.length + 1), "base64url").toString();
}
