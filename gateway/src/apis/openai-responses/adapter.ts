import type { ApiAdapter } from "../adapter.ts";
import { withoutImages } from "../common/omitted-images.ts";
import type { IgnoredParameters } from "../common/parameters.ts";
import { type Conversation, catalogOf, chosenTools, conversationOf, toOllamaChat } from "./request.ts";
import { ResponseBuilder } from "./response.ts";
import { type KeepResponse, requireRepeatable } from "./response-object.ts";
import type { ResponsesRequest } from "./schema.ts";
import { ResponseWriter } from "./stream.ts";

/** How to store a response, and the stored conversation that it continues. */
export interface Storage {
  readonly conversation?: Conversation | undefined;
  /** Undefined if the response is not stored. */
  readonly keep?: KeepResponse | undefined;
}

/**
 * Adapts a request of OpenAI's Responses API.
 *
 * @throws ApiError for contradictory parameters, or for ones that are too long to be repeated
 */
export function adaptResponses(
  request: ResponsesRequest,
  ignored: IgnoredParameters,
  { conversation = conversationOf(request), keep }: Storage = {},
): ApiAdapter {
  const tools = catalogOf(request, conversation, ignored);
  const chosen = chosenTools(request, tools);
  const body = toOllamaChat(request, conversation, tools, chosen);
  const context = { request, tools, keep };
  requireRepeatable(context);
  return {
    call: { path: "/api/chat", body },
    subject: "input",
    thinking: "reasoning.effort",
    withoutImages: () => withoutImages(body.messages),
    ignoredKeywords: chosen.ignoredKeywords,
    ...(chosen.adapt === undefined ? {} : { adapt: chosen.adapt }),
    buffered: () => new ResponseBuilder(context),
    streaming: () => new ResponseWriter(context),
  };
}
