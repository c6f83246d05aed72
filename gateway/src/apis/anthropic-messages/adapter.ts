import type { ApiAdapter } from "../adapter.ts";
import { MessageBuilder, MessageWriter } from "./response.ts";
import { chosenTools, toOllamaChat } from "./request.ts";
import type { MessagesRequest } from "./schema.ts";

/** A conversation in Anthropic's form. @throws ApiError when the request contradicts itself */
export function translateMessages(request: MessagesRequest): ApiAdapter {
  const chosen = chosenTools(request);
  return {
    call: { path: "/api/chat", body: toOllamaChat(request, chosen) },
    subject: "messages",
    thinking: "thinking",
    ignoredKeywords: chosen.ignoredKeywords,
    ...(chosen.adapt === undefined ? {} : { adapt: chosen.adapt }),
    buffered: () => new MessageBuilder(request.model),
    streaming: () => new MessageWriter(request.model),
  };
}
