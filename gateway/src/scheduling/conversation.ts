import { fingerprintOf } from "../lib/fingerprint.ts";

// Conversations without a user message near the start are identified by this many leading messages.
const MAX_LEADING = 8;

interface Message {
  readonly role?: unknown;
}

/**
 * Identifies a conversation by its messages up to the first user message, which stay the same from turn to turn.
 * Undefined for requests without messages.
 *
 * @param body Ollama's request
 */
export function conversationOf(body: object): string | undefined {
  const { model, messages } = body as { model?: unknown; messages?: readonly Message[] };
  if (!Array.isArray(messages) || messages.length === 0) return undefined;
  const leading = (messages as readonly Message[]).slice(0, MAX_LEADING);
  const first = leading.findIndex(({ role }) => role === "user");
  return fingerprintOf([model, first === -1 ? leading : leading.slice(0, first + 1)]);
}
