import * as z from "zod";
import { chatMessages, chatParameters, type ChatRequest, modelName } from "./chat-schema.ts";

// OPEA's defaults, which are not OpenAI's.
const STREAM = true;
const MAX_TOKENS = 1024;

/** The body of `POST /v1/example-service`: OpenAI's, but that the messages may be one string and the model absent. */
export const exampleServiceSchema = z.strictObject({
  ...chatParameters,
  messages: z.union([z.string().min(1), chatMessages]),
  model: modelName.nullish(),
  stream: z.boolean().nullish(),
});

export function toChatRequest(
  body: z.output<typeof exampleServiceSchema>,
  defaultModel: string,
): ChatRequest {
  return {
    ...body,
    model: body.model ?? defaultModel,
    messages: typeof body.messages === "string" ? [{ role: "user", content: body.messages }] : body.messages,
    stream: body.stream ?? STREAM,
    max_tokens: body.max_tokens ?? MAX_TOKENS,
  };
}
