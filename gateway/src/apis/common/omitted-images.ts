import type { OllamaMessage } from "../../ollama/types.ts";
import { isReminder } from "./system-messages.ts";

/** @param what is missing: "An image", "A document" */
export function omissionNote(what: string, why: string): string {
  return `[${what} was left out: ${why}.]`;
}

/**
 * The messages for a model that cannot see: a note stands for each image. Undefined if one of the images is in the newest
 * message of the user.
 *
 * @param newest the index of that message
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
