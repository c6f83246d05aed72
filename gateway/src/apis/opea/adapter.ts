import * as z from "zod";
import { boundedOptions } from "../common/fatal-options.ts";
import { chatMessages, chatParameters, type ChatRequest, modelName } from "../openai-chat/schema.ts";

// OPEA's defaults differ from OpenAI's.
const STREAM = true;
const MAX_TOKENS = 1024;

/** The body of OPEA's routes: OpenAI's, except that messages may be a string and the model is optional. */
export const opeaSchema = z.strictObject({
  ...chatParameters,
  top_k: z.int().min(1).nullish(),
  repetition_penalty: boundedOptions.repeat_penalty,
  messages: z.union([z.string().min(1), chatMessages]),
  model: modelName.nullish(),
  stream: z.boolean().nullish(),
});

export function toChatRequest(
  { top_k: topK, repetition_penalty: penalty, ...body }: z.output<typeof opeaSchema>,
  defaultModel: string,
): ChatRequest {
  // Ollama's own parameter takes precedence over the default.
  const limit = body.max_tokens ?? (body.options?.["num_predict"] == null ? MAX_TOKENS : undefined);
  return {
    ...body,
    options: {
      ...body.options,
      ...(topK == null ? {} : { top_k: topK }),
      ...(penalty == null ? {} : { repeat_penalty: penalty }),
    },
    model: body.model ?? defaultModel,
    messages: typeof body.messages === "string" ? [{ role: "user", content: body.messages }] : body.messages,
    stream: body.stream ?? STREAM,
    max_tokens: limit,
  };
}
