import type { OllamaMessage } from "../../ollama/types.ts";

/**
 * Many of Ollama's templates show the model its first system message only, or all of them in one place. Those before the
 * first reply therefore become one, and later ones stay where they are as messages of the user, so that the model is shown
 * each.
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
    } else if (message.content !== "") {
      others.push({ ...message, ...reminder(message.content) });
    }
  }
  const system = joinInstructions(instructions);
  if (system === undefined) return others;
  return [{ ...system, ...(images.length > 0 ? { images } : {}) }, ...others];
}

/** One system message of several texts; undefined: there is none. */
export function joinInstructions(texts: readonly string[]): OllamaMessage | undefined {
  const content = texts.filter((text) => text !== "").join("\n\n");
  return content === "" ? undefined : { role: "system", content };
}

/** What a system message in mid-conversation becomes. */
export function reminder(text: string): OllamaMessage {
  return { role: "user", content: `<system-reminder>\n${text}\n</system-reminder>` };
}
