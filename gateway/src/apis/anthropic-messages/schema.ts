import * as z from "zod";
import { temperatureTo } from "../common/fatal-options.ts";
import { isEmptyList, letsTheModelCall } from "../common/noop-values.ts";
import { hint, ignored, object } from "../common/parameters.ts";
import { stopList } from "../common/stops.ts";
import { unsupported } from "../common/validation.ts";
import { MAX_MESSAGES, MAX_TOOLS, extensions, modelName, toolName } from "../openai-chat/schema.ts";
import { assistantBlock, systemBlock, textBlock, userBlock } from "./blocks.ts";

const message = z.discriminatedUnion("role", [
  object(() => ({ role: z.literal("user"), content: z.union([z.string(), z.array(userBlock)]).optional() })),
  object(() => ({
    role: z.literal("assistant"),
    content: z.union([z.string(), z.array(assistantBlock)]).optional(),
  })),
  object(() => ({
    role: z.literal("system"),
    content: z.union([z.string(), z.array(systemBlock)]).optional(),
    clear_at: z.string().optional(),
    output_config: object(() => ({ effort: z.string().optional() })).optional(),
  })),
]);

/** A tool that the client runs. */
export const customTool = object(
  () => ({
    type: z.literal("custom").optional(),
    name: toolName,
    description: z.string().optional(),
    input_schema: z.record(z.string(), z.unknown()).optional(),
    defer_loading: z.boolean().optional(),
    strict: ignored,
    eager_input_streaming: ignored,
    input_examples: ignored,
    allowed_callers: hint("only the model itself calls", letsTheModelCall),
    cache_control: ignored,
  }),
  "tools",
);

/** A tool that Anthropic's servers run, or whose schema Anthropic's models know. */
const builtInTool = z.looseObject({ type: z.string().refine((type) => type !== "custom") });

const disableParallel = { disable_parallel_tool_use: z.boolean().optional() };

const jsonFormat = object(() => ({
  type: z.literal("json_schema"),
  schema: z.record(z.string(), z.unknown()),
}));

const conversation = {
  model: modelName,
  messages: z.array(message).min(1).max(MAX_MESSAGES),
  system: z.union([z.string(), z.array(textBlock)]).nullish(),
  tools: z
    .array(z.union([customTool, builtInTool]))
    .max(MAX_TOOLS)
    .nullish(),
  tool_choice: z
    .discriminatedUnion("type", [
      object(() => ({ type: z.literal("auto"), ...disableParallel })),
      object(() => ({ type: z.literal("any"), ...disableParallel })),
      object(() => ({ type: z.literal("tool"), name: z.string(), ...disableParallel })),
      object(() => ({ type: z.literal("none") })),
    ])
    .nullish(),
  thinking: object(
    () => ({
      type: z.enum(["enabled", "adaptive", "between_tools", "disabled"]),
      budget_tokens: hint("Ollama has no budget for thinking"),
      display: z.string().optional(),
      block_binding: ignored,
    }),
    "thinking",
  ).nullish(),
  output_config: object(
    () => ({
      format: jsonFormat.optional(),
      effort: z.string().optional(),
      task_budget: hint("the model is shown no budget"),
    }),
    "output_config",
  ).nullish(),
  output_format: jsonFormat.nullish().describe("Former name of `output_config.format`."),
  ...extensions,

  // No effect on the response.
  cache_control: ignored,
  metadata: ignored,
  service_tier: ignored,
  inference_geo: ignored,
  diagnostics: ignored,
  betas: ignored,
  user_profile_id: ignored,
  workspace_id: ignored,
  billing_policy: ignored,
  fallback_credit_token: ignored,

  // Preferences.
  speed: hint("a model has one speed", (value) => value === "standard"),
  fallbacks: hint("the model that is named generates"),
  context_management: hint("the conversation is used as sent"),

  // These would change the response.
  container: unsupported("the gateway runs no code"),
  mcp_servers: unsupported("the gateway calls no servers", isEmptyList),
  compaction: unsupported("the gateway compacts no conversations; have the model write a summary"),
  thread: unsupported("the gateway keeps no conversations; send all of its messages"),
};

/** The body of `POST /v1/messages`. */
export const messagesSchema = z.strictObject({
  ...conversation,
  max_tokens: z.int().min(0),
  stream: z.boolean().nullish(),
  temperature: temperatureTo(1).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_k: z.int().min(0).nullish(),
  stop_sequences: stopList.nullish(),
});

/** The body of `POST /v1/messages/count_tokens`. */
export const countTokensSchema = z.strictObject({
  ...conversation,
  max_tokens: ignored,
  stream: ignored,
  temperature: ignored,
  top_p: ignored,
  top_k: ignored,
  stop_sequences: ignored,
});

export type MessagesRequest = z.output<typeof messagesSchema>;
/** Parameters of both. */
export type ConversationRequest = Pick<MessagesRequest, keyof typeof conversation>;
export type Message = ConversationRequest["messages"][number];
export type CustomTool = z.output<typeof customTool>;
