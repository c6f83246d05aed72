// Opaque to a client, but no secret: it is the client's own conversation, and the thinking is sent as text when it is
// requested as such. The version lets a later gateway recognize what an earlier one sent.
const PREFIX = "ollama-stack.1.";

/** The `encrypted_content` that carries a model's thinking to the client and back. */
export function encodeReasoning(thinking: string): string {
  return PREFIX + Buffer.from(thinking).toString("base64url");
}

/** @returns undefined for content that another server made, which only that server can read */
export function decodeReasoning(content: string): string | undefined {
  if (!content.startsWith(PREFIX)) return undefined;
  return Buffer.from(content.slice(PREFIX.length), "base64url").toString();
}
