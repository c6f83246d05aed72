import type { Translated } from "../adapter.ts";
import { ResponseBuilder } from "./response.ts";
import { chosenTools, toOllamaChat } from "./request.ts";
import type { ResponsesRequest } from "./schema.ts";
import { ResponseWriter } from "./stream.ts";

/** A conversation in OpenAI's newer form. @throws ApiError when the request contradicts itself */
export function translateResponses(request: ResponsesRequest): Translated {
  const chosen = chosenTools(request);
  return {
    call: { path: "/api/chat", body: toOllamaChat(request, chosen) },
    subject: "input",
    thinking: "reasoning.effort",
    ignoredKeywords: chosen.ignoredKeywords,
    ...(chosen.adapt === undefined ? {} : { adapt: chosen.adapt }),
    whole: () => new ResponseBuilder(request),
    streamed: () => new ResponseWriter(request),
  };
}
