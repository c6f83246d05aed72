import type { Translated } from "./form.ts";
import { ResponseBuilder } from "./responses-answer.ts";
import { chosenTools, toOllamaChat } from "./responses-request.ts";
import type { ResponsesRequest } from "./responses-schema.ts";
import { ResponseWriter } from "./responses-stream.ts";

/** A conversation in OpenAI's newer form. @throws ApiError when the request contradicts itself */
export function translateResponses(request: ResponsesRequest): Translated {
  const chosen = chosenTools(request);
  return {
    call: { path: "/api/chat", body: toOllamaChat(request, chosen) },
    subject: "input",
    thinking: "reasoning.effort",
    ...(chosen.adapt === undefined ? {} : { adapt: chosen.adapt }),
    whole: () => new ResponseBuilder(request),
    streamed: () => new ResponseWriter(request),
  };
}
