import * as z from "zod";
import { temperatureTo } from "../common/fatal-options.ts";
import { ignored } from "../common/parameters.ts";
import { unsupported, unsupportedFlag, unsupportedForms, unsupportedWords } from "../common/validation.ts";
import {
  MAX_MESSAGES,
  MAX_TOOLS,
  breakpoint,
  effort,
  extensions,
  imageDetail,
  imageUrl,
  modelName,
} from "../openai-chat/schema.ts";
import { isEmptyList, letsTheModelCall, setsOnly } from "../common/noop-values.ts";

const textPart = z.strictObject({ type: z.literal("input_text"), text: z.string(), ...breakpoint });

const imagePart = z.strictObject({
  type: z.literal("input_image"),
  image_url: imageUrl,
  detail: imageDetail.nullish(),
  file_id: unsupported("the gateway keeps no files"),
  ...breakpoint,
});

const filePart = unsupportedForms("type", ["input_file"], "only text and images are read");

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

const parts = z.array(z.discriminatedUnion("type", [textPart, imagePart, filePart, outputPart, refusalPart]));

const sentBack = { id: ignored, status: ignored };

const ofOneCall = { caller: ignored, namespace: unsupported("functions have no namespaces here") };

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
  async: unsupportedFlag("a call is answered before the model goes on"),
  ...ofOneCall,
  ...sentBack,
});

const functionOutput = z.strictObject({
  type: z.literal("function_call_output"),
  call_id: z.string().nullish(),
  output: z.union([z.string(), z.array(z.discriminatedUnion("type", [textPart, imagePart, filePart]))]),
  name: z.string().nullish(),
  ...ofOneCall,
  ...sentBack,
});

const reasoning = z.strictObject({
  type: z.literal("reasoning"),
  summary: z.array(z.strictObject({ type: z.literal("summary_text"), text: z.string() })),
  content: z.array(z.strictObject({ type: z.literal("reasoning_text"), text: z.string() })).nullish(),
  encrypted_content: ignored,
  ...sentBack,
});

const otherItems = unsupportedForms(
  "type",
  [
    "additional_tools",
    "apply_patch_call",
    "apply_patch_call_output",
    "code_interpreter_call",
    "compaction",
    "compaction_trigger",
    "computer_call",
    "computer_call_output",
    "configuration_update",
    "custom_tool_call",
    "custom_tool_call_output",
    "file_search_call",
    "image_generation_call",
    "local_shell_call",
    "local_shell_call_output",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "mcp_list_tools",
    "program",
    "program_output",
    "shell_call",
    "shell_call_output",
    "tool_search_call",
    "tool_search_output",
    "web_search_call",
  ],
  "only messages, calls of functions and reasoning are read",
);

const keptItem = unsupportedForms("type", ["item_reference"], "the gateway keeps no items; send them whole");

const item = z.union([
  z.discriminatedUnion("type", [message, functionCall, functionOutput, reasoning, otherItems, keptItem]),
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
  allowed_callers: unsupported("only the model itself calls", letsTheModelCall),
  async: unsupportedFlag("a call is answered before the model goes on"),
  defer_loading: unsupportedFlag("the model is shown every tool at once"),
  output_schema: unsupported("the model is not shown what a function answers"),
});

const namedFunction = z.strictObject({ type: z.literal("function"), name: z.string() });

const otherTools = unsupportedForms(
  "type",
  [
    "apply_patch",
    "code_interpreter",
    "computer",
    "computer_use",
    "computer_use_preview",
    "custom",
    "file_search",
    "image_generation",
    "mcp",
    "programmatic_tool_calling",
    "shell",
    "web_search_preview",
    "web_search_preview_2025_03_11",
  ],
  "the gateway has no tools of its own; only functions are taken",
);

const toolChoice = z.union([
  z.enum(["auto", "none", "required"]),
  z.discriminatedUnion("type", [
    namedFunction,
    z.strictObject({
      type: z.literal("allowed_tools"),
      mode: z.enum(["auto", "required"]),
      tools: z.array(z.discriminatedUnion("type", [namedFunction, otherTools])).max(MAX_TOOLS),
    }),
    otherTools,
  ]),
]);

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

const includable = z.union([
  z.enum(["message.output_text.logprobs", "reasoning.encrypted_content"]),
  unsupportedWords(
    [
      "code_interpreter_call.outputs",
      "computer_call_output.output.image_url",
      "file_search_call.results",
      "message.input_image.image_url",
      "web_search_call.action.sources",
      "web_search_call.results",
    ],
    "the gateway has no tools of its own, and keeps no images",
  ),
]);

/** The body of `POST /v1/responses`: its stateless part. */
export const responsesSchema = z.strictObject({
  model: modelName,
  input: z.union([z.string().min(1), z.array(item).min(1).max(MAX_MESSAGES)]),
  instructions: z.string().nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_obfuscation: z.boolean().optional() }).nullish(),
  max_output_tokens: z.int().min(1).nullish(),
  temperature: temperatureTo(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  text: z
    .strictObject({
      format: format.optional(),
      verbosity: unsupported("models of Ollama have no verbosity", (value) => value === "medium"),
    })
    .nullish(),
  reasoning: z
    .strictObject({
      effort: effort.nullish(),
      summary: ignored,
      generate_summary: ignored,
      mode: unsupported("models of Ollama have one mode", (value) => value === "standard"),
      context: unsupported("the model says which reasoning it reads again", (value) => value === "auto"),
    })
    .nullish(),
  tools: z.array(tool).max(MAX_TOOLS).nullish(),
  tool_choice: toolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  include: z.array(includable).nullish(),
  truncation: z.enum(["auto", "disabled"]).nullish(),
  ...extensions,

  // Without effect on the answer. Nothing is stored, and the answer says so.
  store: ignored,
  metadata: z.record(z.string(), z.string()).nullish(),
  user: ignored,
  safety_identifier: ignored,
  prompt_cache_key: ignored,
  prompt_cache_options: z.looseObject({ prewarm: unsupportedFlag("nothing is cached") }).nullish(),
  prompt_cache_retention: ignored,
  service_tier: ignored,

  // These would change the answer.
  previous_response_id: unsupported("the gateway keeps no answers; send the whole conversation"),
  conversation: unsupported("the gateway keeps no conversations; send the whole conversation"),
  background: unsupported("an answer is given at once or not at all", (value) => value === false),
  prompt: unsupported("the gateway keeps no prompts"),
  max_tool_calls: unsupported("the gateway has no tools of its own"),
  moderation: unsupported("nothing is moderated"),
  context_management: unsupported("the conversation is taken as it is sent", isEmptyList),
  access_programs: unsupported("there are no access programs", setsOnly("cyber", ["standard"])),
  image: unsupported("images are not compressed", setsOnly("context_compression", ["auto", "disabled"])),
});

export type ResponsesRequest = z.output<typeof responsesSchema>;
export type ResponsesItem = Exclude<ResponsesRequest["input"], string>[number];
