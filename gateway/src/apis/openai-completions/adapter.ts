import * as z from "zod";
import type { GenerateRequest, OllamaGenerateRequest } from "../../ollama/types.ts";
import { ignored } from "../common/parameters.ts";
import { unsupported, unsupportedNull } from "../common/validation.ts";
import { extensions, modelName, sampling, streamOptions, tokenLimit } from "../openai-chat/schema.ts";
import { TextBuilder, TextWriter } from "./response.ts";
import type { ApiAdapter } from "../adapter.ts";
import { isEmptyObject } from "../common/noop-values.ts";
import { toCommonRequest } from "../common/sampling-options.ts";
import { textsIn, tokenIds } from "../common/token-ids.ts";

/** Maximum number of prompts per request. They run in sequence, and a buffered response holds all their texts. */
const MAX_PROMPTS = 128;

/** The body of `POST /v1/completions`. */
export const completionsSchema = z.strictObject({
  model: modelName,
  prompt: z.union([
    z.string().min(1),
    z.array(z.string().min(1)).min(1).max(MAX_PROMPTS),
    ...tokenIds,
    unsupportedNull("Ollama begins no text of its own"),
  ]),
  suffix: z.string().nullish(),
  stream: z.boolean().nullish(),
  stream_options: streamOptions,
  max_tokens: tokenLimit,
  logprobs: z.int().min(0).max(5).nullish(),
  ...sampling,
  ...extensions,
  user: ignored,
  n: unsupported("only one choice is supported", (value) => value === 1),
  best_of: unsupported("only one choice is supported", (value) => value === 1),
  echo: unsupported("the prompt is not repeated", (value) => value === false),
  logit_bias: unsupported("Ollama has no logit bias", (value) => isEmptyObject(value)),
});

type CompletionsRequest = z.output<typeof completionsSchema>;

/**
 * Adapts OpenAI's older completions, of one or several prompts.
 *
 * @throws ApiError
 */
export function adaptCompletion(request: CompletionsRequest): ApiAdapter {
  const [prompt = "", ...others] = textsIn(request.prompt, "prompt");
  const call = (each: string, isLast: boolean): GenerateRequest => ({
    path: "/api/generate",
    body: toOllamaGenerate(request, each, isLast),
  });
  return {
    call: call(prompt, others.length === 0),
    further: others.map((each, index) => call(each, index === others.length - 1)),
    subject: "prompt",
    buffered: () => new TextBuilder(request.model),
    streaming: () =>
      new TextWriter(request.model, {
        prompts: 1 + others.length,
        includeUsage: request.stream_options?.include_usage === true,
      }),
  };
}

/** @param isLast only the last prompt sets how long the model stays loaded, as it is needed until then */
function toOllamaGenerate(
  request: CompletionsRequest,
  prompt: string,
  isLast: boolean,
): OllamaGenerateRequest {
  const generate: OllamaGenerateRequest = {
    ...toCommonRequest(isLast ? request : { ...request, keep_alive: null }, request.max_tokens),
    prompt,
  };
  if (request.suffix) generate.suffix = request.suffix;
  if (request.logprobs != null) {
    generate.logprobs = true;
    generate.top_logprobs = request.logprobs;
  }
  return generate;
}
