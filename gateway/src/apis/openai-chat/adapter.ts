import { ChunkWriter, CompletionBuilder } from "./response.ts";
import { chosenTools, toOllamaChat } from "./request.ts";
import type { ChatRequest } from "./schema.ts";
import type { Translated } from "../adapter.ts";

/** A conversation in OpenAI's form. @throws ApiError when the request contradicts itself */
export function translateChat(request: ChatRequest): Translated {
  const chosen = chosenTools(request);
  return {
    call: { path: "/api/chat", body: toOllamaChat(request, chosen) },
    subject: "messages",
    thinking: "reasoning_effort",
    ignoredKeywords: chosen.ignoredKeywords,
    ...(chosen.adapt === undefined ? {} : { adapt: chosen.adapt }),
    whole: () => new CompletionBuilder(request.model),
    streamed: () => new ChunkWriter(request.model, request.stream_options?.include_usage === true),
  };
}
