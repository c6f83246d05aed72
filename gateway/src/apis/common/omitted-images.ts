import type { OllamaMessage } from "../../ollama/types.ts";
import { isReminder } from "./system-messages.ts";

/** @param what is missing: "An image", "A document" */
export function omissionNote(what: string, reason: string): string {
  return `[${what} was left out: ${reason}.]`;
}

/**
 * Replaces images by notes, for a model without vision support. Undefined if the user's newest message has an image.
 *
 * @param newest index of that message
 */
export function withoutImages(
  messages: readonly OllamaMessage[],
  newest = messages.findLastIndex((message) => message.role === "user" && !isReminder(message)),
): readonly OllamaMessage[] | undefined {
  if (messages[newest]?.images !== undefined) return undefined;
  return messages.map((message) => {
    if (message.images === undefined) return message;
    const { images, ...rest } = message;
    const notes = images.map(() => omissionNote("An image", "the model cannot see images"));
    return { ...rest, content: [message.content, ...notes].filter((text) => text !== "").join("\n") };
  });
}
