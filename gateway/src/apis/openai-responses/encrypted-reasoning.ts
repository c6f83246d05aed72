// Opaque but not secret: it is the client's own conversation, and the thinking is also available as text. The version
// lets later gateways recognize it.
const PREFIX = "ollama-stack.1.";

/** Encodes thinking as `encrypted_content`, which the client sends back. */
export function encodeReasoning(thinking: string): string {
  return PREFIX + Buffer.from(thinking).toString("base64url");
}

/** @returns undefined for content of another server */
export function decodeReasoning(content: string): string | undefined {
  if (!content.startsWith(PREFIX)) return undefined;
  return Buffer.from(content.slice(PREFIX.length), "base64url").toString();
}
