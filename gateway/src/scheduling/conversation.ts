import { fingerprintOf } from "../lib/fingerprint.ts";

// A conversation that has no user's message in its beginning is identified by that beginning.
const MAX_LEADING = 8;

interface Message {
  readonly role?: unknown;
}

/**
 * What stays the same from turn to turn of a conversation, and differs from conversation to conversation: the messages up
 * to the first of the user. Undefined for requests that have none.
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
