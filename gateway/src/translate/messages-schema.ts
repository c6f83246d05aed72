import * as z from "zod";
import { unsupported } from "../validation.ts";
import { MAX_MESSAGES, extensions, ignored, modelName } from "./chat-schema.ts";

// What was sent before is read anew each time: nothing is cached, and nothing changes by it.
const cached = { cache_control: ignored };

const textBlock = z.strictObject({
  type: z.literal("text"),
  text: z.string(),
  citations: ignored,
  ...cached,
});

const imageBlock = z.strictObject({
  type: z.literal("image"),
  source: z.strictObject({
    type: z.literal("base64", { error: "Only base64 is taken; nothing is fetched on behalf of a client" }),
    media_type: z.string().regex(/^image\//),
    data: z.string(),
  }),
  ...cached,
});

const toolUseBlock = z.strictObject({
  type: z.literal("tool_use"),
  id: z.string(),
  name: z.string(),
  input: z.record(z.string(), z.unknown()),
  caller: ignored,
  ...cached,
});

const toolResultBlock = z.strictObject({
  type: z.literal("tool_result"),
  tool_use_id: z.string(),
  content: z.union([z.string(), z.array(z.discriminatedUnion("type", [textBlock, imageBlock]))]).nullish(),
  is_error: z.boolean().nullish(),
  ...cached,
});

const thinkingBlock = z.strictObject({
  type: z.literal("thinking"),
  thinking: z.string(),
  signature: ignored,
});

const redactedBlock = z.strictObject({ type: z.literal("redacted_thinking"), data: z.string() });

const message = z.discriminatedUnion("role", [
  z.strictObject({
    role: z.literal("user"),
    content: z.union([
      z.string(),
      z.array(z.discriminatedUnion("type", [textBlock, imageBlock, toolResultBlock])).min(1),
    ]),
  }),
  z.strictObject({
    role: z.literal("assistant"),
    content: z.union([
      z.string(),
      z.array(z.discriminatedUnion("type", [textBlock, toolUseBlock, thinkingBlock, redactedBlock])),
    ]),
  }),
]);

const tool = z.strictObject({
  type: z
    .union([
      z.literal("custom"),
      unsupported("the gateway has no tools of its own; only custom ones are taken"),
    ])
    .optional(),
  name: z.string().regex(/^[A-Za-z0-9_-]{1,128}$/),
  description: z.string().optional(),
  input_schema: z.record(z.string(), z.unknown()),
  strict: ignored,
  eager_input_streaming: ignored,
  input_examples: ignored,
  ...cached,
});

const disableParallel = { disable_parallel_tool_use: z.boolean().optional() };

/** The body of `POST /v1/messages`. */
export const messagesSchema = z.strictObject({
  model: modelName,
  messages: z.array(message).min(1).max(MAX_MESSAGES),
  max_tokens: z.int().min(1),
  system: z.union([z.string(), z.array(textBlock)]).nullish(),
  stream: z.boolean().nullish(),
  temperature: z.number().min(0).max(1).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_k: z.int().min(0).nullish(),
  stop_sequences: z.array(z.string()).nullish(),
  tools: z.array(tool).nullish(),
  tool_choice: z
    .discriminatedUnion("type", [
      z.strictObject({ type: z.literal("auto"), ...disableParallel }),
      z.strictObject({ type: z.literal("any"), ...disableParallel }),
      z.strictObject({ type: z.literal("tool"), name: z.string(), ...disableParallel }),
      z.strictObject({ type: z.literal("none") }),
    ])
    .nullish(),
  thinking: z
    .discriminatedUnion("type", [
      z.strictObject({ type: z.literal("enabled"), budget_tokens: ignored, display: ignored }),
      z.strictObject({ type: z.literal("adaptive"), display: ignored }),
      z.strictObject({ type: z.literal("disabled") }),
    ])
    .nullish(),
  output_config: z
    .strictObject({
      format: z
        .strictObject({ type: z.literal("json_schema"), schema: z.record(z.string(), z.unknown()) })
        .nullish(),
      effort: unsupported("models of Ollama have no effort; use thinking"),
    })
    .nullish(),
  ...extensions,

  // Without effect on the answer.
  metadata: ignored,
  service_tier: ignored,
  inference_geo: ignored,
  ...cached,

  // These would change the answer.
  container: unsupported("the gateway runs no code"),
  context_management: unsupported("the conversation is taken as it is sent"),
  mcp_servers: unsupported(
    "the gateway calls no servers",
    (value) => Array.isArray(value) && value.length === 0,
  ),
});

export type MessagesRequest = z.output<typeof messagesSchema>;
export type Message = MessagesRequest["messages"][number];
