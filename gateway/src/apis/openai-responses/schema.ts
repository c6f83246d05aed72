import * as z from "zod";
import { temperatureTo } from "../common/fatal-options.ts";
import { isEmptyList, setsOnly } from "../common/noop-values.ts";
import { hint, ignored, object } from "../common/parameters.ts";
import { unsupported } from "../common/validation.ts";
import { MAX_MESSAGES, effort, extensions, modelName, sampling, tokenLimit } from "../openai-chat/schema.ts";
import { inputItem } from "./input-schema.ts";
import { toolChoice, toolList } from "./tool-schema.ts";

const format = z.discriminatedUnion("type", [
  object(() => ({ type: z.literal("text") })),
  object(() => ({ type: z.literal("json_object") })),
  object(() => ({
    type: z.literal("json_schema"),
    name: z.string().nullish(),
    description: z.string().nullish(),
    schema: z.record(z.string(), z.unknown()),
    strict: z.boolean().nullish(),
  })),
]);

const summary = z.enum(["auto", "concise", "detailed", "none"]).nullish();

/** The body of `POST /v1/responses`. */
export const responsesSchema = z.strictObject({
  model: modelName,
  input: z
    .union([z.string().min(1), z.array(inputItem).max(MAX_MESSAGES)])
    .nullish()
    .describe("Required without `previous_response_id`."),
  instructions: z.string().nullish(),
  previous_response_id: z
    .string()
    .nullish()
    .describe("ID of a stored response, whose conversation this one continues."),
  store: z
    .boolean()
    .nullish()
    .describe("Whether to store the response, for `RESPONSE_STORE_TTL_MS`. Default: true."),
  stream: z.boolean().nullish(),
  stream_options: object(() => ({ include_obfuscation: z.boolean().nullish() }), "stream_options").nullish(),
  max_output_tokens: tokenLimit,
  temperature: temperatureTo(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  presence_penalty: sampling.presence_penalty,
  frequency_penalty: sampling.frequency_penalty,
  top_logprobs: z.int().min(0).max(20).nullish(),
  text: object(
    () => ({
      format: format.nullish(),
      verbosity: hint("models of Ollama have no verbosity", (value) => value === "medium"),
    }),
    "text",
  ).nullish(),
  reasoning: object(
    () => ({
      effort: effort.nullish(),
      summary,
      generate_summary: summary,
      mode: hint("models of Ollama have one mode", (value) => value === "standard"),
      context: hint("the model determines which reasoning it reads again", (value) => value === "auto"),
    }),
    "reasoning",
  ).nullish(),
  tools: toolList.nullish(),
  tool_choice: toolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  include: z.array(z.string()).nullish(),
  truncation: z.enum(["auto", "disabled"]).nullish(),
  ...extensions,

  // Only repeated in the response.
  metadata: z.record(z.string(), z.unknown()).nullish(),
  user: z.string().nullish(),
  safety_identifier: z.string().nullish(),
  prompt_cache_key: z.string().nullish(),
  max_tool_calls: z
    .int()
    .min(1)
    .nullish()
    .describe("Limits calls of server-run tools, of which there are none."),

  // No effect.
  prompt_cache_options: ignored,
  prompt_cache_retention: ignored,
  service_tier: ignored,
  client_metadata: ignored,

  // These would change the response.
  conversation: unsupported("the gateway keeps no conversations; use previous_response_id"),
  background: unsupported("responses are not generated in the background", (value) => value === false),
  prompt: unsupported("the gateway keeps no prompts"),
  moderation: unsupported("moderation is not supported"),
  context_management: unsupported("the conversation is used as sent", isEmptyList),
  access_programs: unsupported("there are no access programs", setsOnly("cyber", ["standard"])),
  image: unsupported("images are not compressed", setsOnly("context_compression", ["auto", "disabled"])),
});

export type ResponsesRequest = z.output<typeof responsesSchema>;
