import * as z from "zod";
import { unsupported } from "../validation.ts";
import { MAX_MESSAGES, effort, extensions, ignored, imageUrl, modelName } from "./chat-schema.ts";

const textPart = z.strictObject({ type: z.literal("input_text"), text: z.string() });

const imagePart = z.strictObject({
  type: z.literal("input_image"),
  image_url: imageUrl,
  detail: z.enum(["auto", "low", "high"]).nullish(),
  file_id: unsupported("the gateway keeps no files"),
});

// What the model said before, as it is sent back.
const outputPart = z.strictObject({
  type: z.literal("output_text"),
  text: z.string(),
  annotations: ignored,
  logprobs: ignored,
  // OpenAI's client adds it, and sends it back.
  parsed: ignored,
});
const refusalPart = z.strictObject({ type: z.literal("refusal"), refusal: z.string() });

const parts = z.array(z.discriminatedUnion("type", [textPart, imagePart, outputPart, refusalPart]));

const sentBack = { id: ignored, status: ignored };

const message = z.strictObject({
  type: z.literal("message").optional(),
  role: z.enum(["user", "assistant", "system", "developer"]),
  content: z.union([z.string(), parts]),
  phase: ignored,
  ...sentBack,
});

const functionCall = z.strictObject({
  type: z.literal("function_call"),
  call_id: z.string(),
  name: z.string(),
  arguments: z.string(),
  parsed_arguments: ignored,
  ...sentBack,
});

const functionOutput = z.strictObject({
  type: z.literal("function_call_output"),
  call_id: z.string(),
  output: z.union([z.string(), z.array(z.discriminatedUnion("type", [textPart, imagePart]))]),
  ...sentBack,
});

const reasoning = z.strictObject({
  type: z.literal("reasoning"),
  summary: z.array(z.strictObject({ type: z.literal("summary_text"), text: z.string() })),
  content: z.array(z.strictObject({ type: z.literal("reasoning_text"), text: z.string() })).nullish(),
  encrypted_content: ignored,
  ...sentBack,
});

const item = z.union([
  z.discriminatedUnion("type", [message, functionCall, functionOutput, reasoning]),
  message,
]);

const tool = z.strictObject({
  type: z.union([
    z.literal("function"),
    unsupported("the gateway has no tools of its own; only functions are taken"),
  ]),
  name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  description: z.string().nullish(),
  parameters: z.record(z.string(), z.unknown()).nullish(),
  strict: z.boolean().nullish(),
});

const format = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text") }),
  z.strictObject({ type: z.literal("json_object") }),
  z.strictObject({
    type: z.literal("json_schema"),
    name: z.string(),
    description: z.string().optional(),
    schema: z.record(z.string(), z.unknown()),
    strict: z.boolean().nullish(),
  }),
]);

/** The body of `POST /v1/responses`: its stateless part. */
export const responsesSchema = z.strictObject({
  model: modelName,
  input: z.union([z.string().min(1), z.array(item).min(1).max(MAX_MESSAGES)]),
  instructions: z.string().nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_obfuscation: z.boolean().optional() }).nullish(),
  max_output_tokens: z.int().min(1).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  text: z
    .strictObject({
      format: format.optional(),
      verbosity: unsupported("models of Ollama have no verbosity", (value) => value === "medium"),
    })
    .nullish(),
  reasoning: z
    .strictObject({ effort: effort.nullish(), summary: ignored, generate_summary: ignored })
    .nullish(),
  tools: z.array(tool).nullish(),
  tool_choice: z
    .union([
      z.enum(["auto", "none", "required"]),
      z.strictObject({ type: z.literal("function"), name: z.string() }),
    ])
    .nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  include: z.array(z.enum(["message.output_text.logprobs", "reasoning.encrypted_content"])).nullish(),
  truncation: z.enum(["auto", "disabled"]).nullish(),
  ...extensions,

  // Without effect on the answer. Nothing is stored, and the answer says so.
  store: ignored,
  metadata: z.record(z.string(), z.string()).nullish(),
  user: ignored,
  safety_identifier: ignored,
  prompt_cache_key: ignored,
  prompt_cache_retention: ignored,
  service_tier: ignored,

  // These would change the answer.
  previous_response_id: unsupported("the gateway keeps no answers; send the whole conversation"),
  conversation: unsupported("the gateway keeps no conversations; send the whole conversation"),
  background: unsupported("an answer is given at once or not at all", (value) => value === false),
  prompt: unsupported("the gateway keeps no prompts"),
  max_tool_calls: unsupported("the gateway has no tools of its own"),
});

export type ResponsesRequest = z.output<typeof responsesSchema>;
export type ResponsesItem = Exclude<ResponsesRequest["input"], string>[number];
