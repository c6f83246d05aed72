import type { OllamaMessage } from "../../ollama/types.ts";

/**
 * Many templates of Ollama show only the first system message, or all of them in one place. So those before the first
 * reply are merged, and later ones become user messages in place.
 */
export function placeSystemMessages(messages: readonly OllamaMessage[]): readonly OllamaMessage[] {
  if (!messages.some(({ role }, index) => role === "system" && index > 0)) return messages;
  const firstReply = messages.findIndex(({ role }) => role === "assistant");
  const instructions: string[] = [];
  const images: string[] = [];
  const others: OllamaMessage[] = [];
  for (const [index, message] of messages.entries()) {
    if (message.role !== "system") others.push(message);
    else if (firstReply === -1 || index < firstReply) {
      instructions.push(message.content);
      images.push(...(message.images ?? []));
    } else if (message.content !== "" || message.images !== undefined) {
      others.push({ ...message, ...reminder(message.content) });
    }
  }
  const system = joinInstructions(instructions);
  if (images.length > 0) return [{ role: "system", content: "", ...system, images }, ...others];
  if (system !== undefined) return [system, ...others];
  // Without messages, Ollama would only load the model.
  return others.length === 0 ? messages : others;
}

/** Merges texts to one system message; undefined without text. */
export function joinInstructions(texts: readonly string[]): OllamaMessage | undefined {
  const content = texts.filter((text) => text !== "").join("\n\n");
  return content === "" ? undefined : { role: "system", content };
}

/** Converts a system message in mid-conversation to a user message. */
export function reminder(text: string): OllamaMessage {
  return { role: "user", content: `${OPENING}${text}${CLOSING}` };
}

const OPENING = "<system-reminder>\n";
const CLOSING = "\n</system-reminder>";

/** Whether a user message is such a reminder. */
export function isReminder({ role, content }: OllamaMessage): boolean {
  return role === "user" && content.startsWith(OPENING) && content.endsWith(CLOSING);
}
