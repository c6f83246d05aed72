import type { ApiAdapter } from "../adapter.ts";
import { ResponseBuilder } from "./response.ts";
import { chosenTools, toOllamaChat } from "./request.ts";
import type { ResponsesRequest } from "./schema.ts";
import { ResponseWriter } from "./stream.ts";

/** A conversation in OpenAI's newer form. @throws ApiError when the request contradicts itself */
export function translateResponses(request: ResponsesRequest): ApiAdapter {
  const chosen = chosenTools(request);
  return {
    call: { path: "/api/chat", body: toOllamaChat(request, chosen) },
    subject: "input",
    thinking: "reasoning.effort",
    ignoredKeywords: chosen.ignoredKeywords,
    ...(chosen.adapt === undefined ? {} : { adapt: chosen.adapt }),
    buffered: () => new ResponseBuilder(request),
    streaming: () => new ResponseWriter(request),
  };
}
