import { estimatePromptTokens } from "../../ollama/prompt-size.ts";
import type { OllamaChatRequest, OllamaEvent } from "../../ollama/types.ts";
import type { ApiAdapter } from "../adapter.ts";
import type { IgnoredParameters } from "../common/parameters.ts";
import { withoutImages } from "../common/omitted-images.ts";
import { type Conversation, toConversation } from "./conversation.ts";
import { chosenTools, toOllamaChat } from "./request.ts";
import { MessageBuilder, type MessageOptions, MessageWriter, TokenCountBuilder } from "./response.ts";
import type { ConversationRequest, MessagesRequest } from "./schema.ts";

/**
 * Adapts a conversation in Anthropic's format.
 *
 * @param ignored receives the names of ignored parameters
 * @throws ApiError for contradictory parameters
 */
export function adaptMessages(request: MessagesRequest, ignored: IgnoredParameters): ApiAdapter {
  const conversation = toConversation(request);
  const chosen = chosenTools(request, ignored);
  const body = toOllamaChat(request, conversation, chosen, ignored);
  const options: MessageOptions = {
    model: request.model,
    maxTokens: request.max_tokens,
    hidesThinking: request.thinking?.display === "omitted",
  };
  const adapt = request.max_tokens === 0 ? () => withoutOutput : chosen.adapt;
  return {
    ...callOf(request, body, conversation),
    ignoredKeywords: chosen.ignoredKeywords,
    ...(adapt === undefined ? {} : { adapt }),
    buffered: () => new MessageBuilder(options),
    streaming: () => new MessageWriter(options, estimatePromptTokens(body)),
  };
}

/**
 * Adapts a request to count the tokens of a conversation: generates a single token, without an output format.
 *
 * @throws ApiError
 */
export function adaptTokenCount(request: ConversationRequest, ignored: IgnoredParameters): ApiAdapter {
  const conversation = toConversation(request);
  const { tools } = chosenTools(request, ignored);
  const body = toOllamaChat({ ...request, max_tokens: 1 }, conversation, { tools }, ignored);
  return {
    ...callOf(request, body, conversation),
    buffered: () => new TokenCountBuilder(),
    streaming: () => {
      throw new Error("Token counts are not streamed.");
    },
  };
}

function callOf(
  { thinking }: ConversationRequest,
  body: OllamaChatRequest,
  { messages, newest = -1 }: Conversation,
) {
  return {
    call: { path: "/api/chat", body },
    subject: "messages",
    thinking: thinking == null ? "output_config.effort" : "thinking",
    withoutImages: () => withoutImages(messages, newest),
  } as const;
}

/** `max_tokens: 0` only fills the prompt cache for the client's next request. */
function withoutOutput(event: OllamaEvent): OllamaEvent {
  return event.done === true ? { ...event, message: {}, done_reason: "length", eval_count: 0 } : {};
}
