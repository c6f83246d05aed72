import * as z from "zod";
import { temperatureTo } from "../common/fatal-options.ts";
import { ignored } from "../common/parameters.ts";
import { unsupported, unsupportedFlag, unsupportedForms } from "../common/validation.ts";
import { MAX_MESSAGES, MAX_TOOLS, extensions, modelName } from "../openai-chat/schema.ts";
import { isEmptyList, letsTheModelCall, setsOnly } from "../common/noop-values.ts";

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
  source: z.discriminatedUnion("type", [
    z.strictObject({
      type: z.literal("base64"),
      media_type: z.string().regex(/^image\//),
      data: z.string(),
    }),
    unsupportedForms(
      "type",
      ["url", "file"],
      "only base64 is taken; nothing is fetched on behalf of a client, and no file is kept",
    ),
  ]),
  transformations: unsupported(
    "images are scaled as the model needs them",
    setsOnly("oversized_image", ["downsize"]),
  ),
  ...cached,
});

const toolset = { toolset_name: unsupported("the gateway has no tools of its own") };

const toolUseBlock = z.strictObject({
  type: z.literal("tool_use"),
  id: z.string(),
  name: z.string(),
  input: z.record(z.string(), z.unknown()),
  caller: ignored,
  ...toolset,
  ...cached,
});

const onlyTextAndImages = "only text and images are read";

const otherResults = unsupportedForms(
  "type",
  ["document", "search_result", "tool_reference", "browser_state"],
  onlyTextAndImages,
);

const toolResultBlock = z.strictObject({
  type: z.literal("tool_result"),
  tool_use_id: z.string(),
  content: z
    .union([z.string(), z.array(z.discriminatedUnion("type", [textBlock, imageBlock, otherResults]))])
    .nullish(),
  is_error: z.boolean().nullish(),
  ...toolset,
  ...cached,
});

const thinkingBlock = z.strictObject({
  type: z.literal("thinking"),
  thinking: z.string(),
  signature: ignored,
});

const redactedBlock = z.strictObject({ type: z.literal("redacted_thinking"), data: z.string() });

const otherBlocks = unsupportedForms(
  "type",
  ["document", "search_result", "container_upload"],
  onlyTextAndImages,
);

const serverTools = unsupportedForms(
  "type",
  [
    "server_tool_use",
    "bash_code_execution_tool_result",
    "code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "tool_search_tool_result",
    "web_fetch_tool_result",
    "web_search_tool_result",
  ],
  "the gateway has no tools of its own",
);

const blocksOfTheModel = unsupportedForms(
  "type",
  ["tool_use", "thinking", "redacted_thinking"],
  "only the assistant calls tools and thinks",
);

const blocksOfTheUser = unsupportedForms(
  "type",
  ["image", "tool_result"],
  "the assistant says text and calls tools",
);

const message = z.discriminatedUnion("role", [
  z.strictObject({
    role: z.literal("user"),
    content: z.union([
      z.string(),
      z
        .array(
          z.discriminatedUnion("type", [
            textBlock,
            imageBlock,
            toolResultBlock,
            blocksOfTheModel,
            otherBlocks,
            serverTools,
          ]),
        )
        .min(1),
    ]),
  }),
  z.strictObject({
    role: z.literal("assistant"),
    content: z.union([
      z.string(),
      z.array(
        z.discriminatedUnion("type", [
          textBlock,
          toolUseBlock,
          thinkingBlock,
          redactedBlock,
          blocksOfTheUser,
          otherBlocks,
          serverTools,
        ]),
      ),
    ]),
  }),
  z.strictObject({
    role: z.literal("system"),
    content: z.union([
      z.string(),
      z
        .array(
          z.discriminatedUnion("type", [
            textBlock,
            blocksOfTheModel,
            blocksOfTheUser,
            otherBlocks,
            serverTools,
          ]),
        )
        .min(1),
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
  input_examples: unsupported("the model is shown the schema of a tool alone", isEmptyList),
  allowed_callers: unsupported("only the model itself calls", letsTheModelCall),
  defer_loading: unsupportedFlag("the model is shown every tool at once"),
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
  temperature: temperatureTo(1).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_k: z.int().min(0).nullish(),
  stop_sequences: z.array(z.string()).nullish(),
  tools: z.array(tool).max(MAX_TOOLS).nullish(),
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
      unsupportedForms("type", ["between_tools"], "a model of Ollama thinks before it answers"),
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
  speed: ignored,
  diagnostics: ignored,
  ...cached,

  // These would change the answer.
  container: unsupported("the gateway runs no code"),
  context_management: unsupported("the conversation is taken as it is sent"),
  mcp_servers: unsupported("the gateway calls no servers", isEmptyList),
});

export type MessagesRequest = z.output<typeof messagesSchema>;
export type Message = MessagesRequest["messages"][number];
