import { ChunkWriter, CompletionBuilder } from "./chat-answer.ts";
import { chosenTools, toOllamaChat } from "./chat-request.ts";
import type { ChatRequest } from "./chat-schema.ts";
import type { Translated } from "./form.ts";

/** A conversation in OpenAI's form. @throws ApiError when the request contradicts itself */
export function translateChat(request: ChatRequest): Translated {
  const chosen = chosenTools(request);
  return {
    call: { path: "/api/chat", body: toOllamaChat(request, chosen) },
    subject: "messages",
    thinking: "reasoning_effort",
    ...(chosen.adapt === undefined ? {} : { adapt: chosen.adapt }),
    whole: () => new CompletionBuilder(request.model),
    streamed: () => new ChunkWriter(request.model, request.stream_options?.include_usage === true),
  };
}
