/**
 * The `signature` of a thinking block. Anthropic's carries the thinking encrypted; this one is plain, as the thinking
 * beside it is: a version, and the thinking itself only where the client did not want to see it.
 */
const VERSION = "ollama-stack-1";

/** @param hidden thinking that the block does not show, and that the next turn needs */
export function signThinking(hidden = ""): string {
  return hidden === "" ? VERSION : `${VERSION}.${Buffer.from(hidden).toString("base64url")}`;
}

/** The thinking of a block that a client sent back: what it shows, else what its signature carries. */
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
