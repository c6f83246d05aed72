import { withoutImages } from "../common/omitted-images.ts";
import { ChunkWriter, CompletionBuilder } from "./response.ts";
import { chosenTools, toOllamaChat } from "./request.ts";
import type { IgnoredParameters } from "../common/parameters.ts";
import type { ChatRequest } from "./schema.ts";
import type { ApiAdapter } from "../adapter.ts";

/**
 * Adapts a conversation in OpenAI's format.
 *
 * @throws ApiError for contradictory parameters
 */
export function adaptChat(request: ChatRequest, ignored: IgnoredParameters): ApiAdapter {
  const chosen = chosenTools(request, ignored);
  const body = toOllamaChat(request, chosen);
  return {
    call: { path: "/api/chat", body },
    subject: "messages",
    thinking: "reasoning_effort",
    withoutImages: () => withoutImages(body.messages),
    ignoredKeywords: chosen.ignoredKeywords,
    adapt: chosen.adapt,
    buffered: () => new CompletionBuilder(request.model),
    streaming: () => new ChunkWriter(request.model, request.stream_options?.include_usage === true),
  };
}
