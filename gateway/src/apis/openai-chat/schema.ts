import * as z from "zod";
import { hint, ignored, object } from "../common/parameters.ts";
import { unsupported, unsupportedVariants } from "../common/validation.ts";
import { int64 } from "../common/int64.ts";
import { isEmptyList, isEmptyObject } from "../common/noop-values.ts";
import { boundedOptions, temperatureTo } from "../common/fatal-options.ts";
import { stops } from "../common/stops.ts";
import { serverOptions } from "../common/server-options.ts";

/**
 * Maximum number of tools per request in every API; OpenAI accepts 128. All of them are prompt text: with 10,000 Ollama
 * took most of a minute to find that the prompt was too long, and blocked other clients.
 */
export const MAX_TOOLS = 512;

// Hints for prompt caching, which Ollama does by itself.
export const breakpoint = { prompt_cache_breakpoint: ignored };

const textPart = object(() => ({ type: z.literal("text"), text: z.string(), ...breakpoint }));

// Ollama accepts data URLs without a type.
export const imageUrl = z.string().regex(/^data:(?:image\/[a-z+.-]+)?;base64,/i, {
  error: "Only data URLs (data:image/...;base64,...) are supported; the gateway fetches nothing for a client",
});

/** Ollama's models have a single level of detail. */
export const imageDetail = z.enum(["auto", "low", "high", "original"]);

const imagePart = object(() => ({
  type: z.literal("image_url"),
  image_url: z.union([
    object(() => ({ url: imageUrl, detail: imageDetail.optional() })),
    // The format of other APIs of this kind.
    imageUrl.transform((url) => ({ url })),
  ]),
  ...breakpoint,
}));

const otherParts = unsupportedVariants("type", ["input_audio", "file"], "only text and images are read");

const refusalPart = object(() => ({ type: z.literal("refusal"), refusal: z.string() }));

/** A part of an earlier response without meaning to the model, such as another API's reasoning. */
const otherPart = z.looseObject({ type: z.string() }).transform(() => ({ type: "other" as const }));

const textContent = z.union([z.string(), z.array(textPart)]);

const name = z.string().optional();

const onlyFunctions = unsupportedVariants("type", ["custom"], "Ollama has functions only");

/** Some clients send arguments as an object, as in Ollama's own API. */
const functionCall = object(() => ({
  name: z.string(),
  arguments: z.union([z.string(), z.record(z.string(), z.unknown())]).optional(),
}));

const toolCall = z.union([
  object(() => ({
    id: z.string().optional(),
    type: z.literal("function").optional(),
    function: functionCall,
  })),
  object(() => ({
    id: z.string().optional(),
    type: z.literal("custom"),
    custom: object(() => ({ name: z.string(), input: z.string() })),
  })).transform(({ id, custom: { name, input } }) => ({
    id,
    type: "function" as const,
    function: { name, arguments: { input } },
  })),
]);

const message = z.discriminatedUnion("role", [
  object(() => ({ role: z.literal("system"), content: textContent, name })),
  object(() => ({ role: z.literal("developer"), content: textContent, name })),
  object(() => ({
    role: z.literal("user"),
    content: z.union([z.string(), z.array(z.discriminatedUnion("type", [textPart, imagePart, otherParts]))]),
    name,
  })),
  object(() => ({
    role: z.literal("assistant"),
    content: z
      .union([
        z.string(),
        z.array(z.union([z.discriminatedUnion("type", [textPart, refusalPart]), otherPart])),
      ])
      .nullish(),
    refusal: z.string().nullish(),
    reasoning_content: z
      .string()
      .nullish()
      .describe("Extension: the model's thinking before this message, which it sees again."),
    reasoning: z
      .string()
      .nullish()
      .describe("Extension: the same, under the name used by Ollama and others."),
    tool_calls: z.array(toolCall).optional(),
    function_call: functionCall.nullish(),
    name,
  })),
  object(() => ({
    role: z.literal("tool"),
    content: z.union([z.string(), z.array(z.discriminatedUnion("type", [textPart, imagePart]))]),
    tool_call_id: z.string().optional(),
    name,
  })),
  object(() => ({ role: z.literal("function"), content: z.string().nullish(), name: z.string() })),
]);

/** An unsupported type of tool. */
const otherTool = z.looseObject({ type: z.string().refine((type) => type !== "function") });

/** Longer than OpenAI allows, for names such as "files.read" from tool servers. */
export const toolName = z.string().min(1).max(256);

const tool = z.union([
  object(() => ({
    type: z.literal("function").optional(),
    function: object(() => ({
      name: toolName,
      description: z.string().optional(),
      parameters: z.record(z.string(), z.unknown()).optional(),
      strict: z.boolean().nullish(),
    })),
  })),
  otherTool,
]);

/** "required" in other APIs. */
export const anyTool = z.literal("any").transform(() => "required" as const);

const namedFunction = object(() => ({
  type: z.literal("function"),
  function: object(() => ({ name: z.string() })),
}));

const toolChoice = z.union([
  z.enum(["auto", "none", "required"]),
  z.discriminatedUnion("type", [
    namedFunction,
    object(() => ({
      type: z.literal("allowed_tools"),
      allowed_tools: object(() => ({
        mode: z.enum(["auto", "required"]),
        tools: z.array(z.discriminatedUnion("type", [namedFunction, onlyFunctions])).max(MAX_TOOLS),
      })),
    })),
    onlyFunctions,
  ]),
  // The formats of other APIs of this kind.
  anyTool,
  object(() => ({ type: z.literal("function"), name: z.string() })).transform(({ type, name: called }) => ({
    type,
    function: { name: called },
  })),
]);

const responseFormat = z.discriminatedUnion("type", [
  object(() => ({ type: z.literal("text") })),
  object(() => ({ type: z.literal("json_object") })),
  object(() => ({
    type: z.literal("json_schema"),
    json_schema: object(() => ({
      name: z.string().optional(),
      description: z.string().optional(),
      schema: z.record(z.string(), z.unknown()).optional(),
      strict: z.boolean().nullish(),
    })),
  })),
]);

/** Also accepts Ollama's own values for no limit. */
export const tokenLimit = z.int().min(-2).nullish().describe("0, -1 and -2 mean no limit.");
export const effort = z.enum(["none", "minimal", "low", "medium", "high", "xhigh", "max"]);
const penalty = z.number().min(-2).max(2).nullish();

/** Ollama's parameters beyond OpenAI's API; accepted by every generating route. */
export const extensions = {
  keep_alive: z
    .union([z.string(), z.number()])
    .nullish()
    .describe(
      'Extension: how long the model stays loaded afterwards, as a duration ("10m") or in seconds; 0 unloads it, ' +
        "a negative value keeps it forever. With keys, a key without the flag `options` can only extend it. " +
        "Default: the server's OLLAMA_KEEP_ALIVE.",
    ),
  num_ctx: z
    .int()
    .min(1)
    .nullish()
    .describe(
      "Extension: context length in tokens. Reloads the model if it differs from the loaded one; with keys, a key " +
        "without the flag `options` gets the loaded context, or 403 if that is too small. " +
        "Default: the model's own, else the server's OLLAMA_CONTEXT_LENGTH.",
    ),
  options: z
    .object({ ...serverOptions, ...boundedOptions, seed: int64.nullish(), stop: stops.nullish() })
    .catchall(z.union([z.number(), z.boolean(), z.string(), z.array(z.string()), z.null()]).optional())
    .nullish()
    .describe(
      "Extension: Ollama's own options (top_k, min_p, repeat_penalty, ...). The API's own " +
        "parameters take precedence. Default: the model's own.",
    ),
  truncate: z
    .boolean()
    .nullish()
    .describe(
      "Extension: true truncates input that exceeds the context, as Ollama does. Default: false, which rejects it " +
        "with 400 `context_length_exceeded`.",
    ),
};

/** Sampling parameters and stop sequences. */
export const sampling = {
  temperature: temperatureTo(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  seed: int64.nullish(),
  stop: stops.nullish(),
  presence_penalty: penalty,
  frequency_penalty: penalty,
};

export const streamOptions = object(
  () => ({ include_usage: z.boolean().optional(), include_obfuscation: z.boolean().optional() }),
  "stream_options",
).nullish();

/** Parameters of a conversation other than messages, model and stream. */
export const chatParameters = {
  max_tokens: tokenLimit,
  max_completion_tokens: tokenLimit,
  ...sampling,
  stream_options: streamOptions,
  response_format: responseFormat.nullish(),
  tools: z.array(tool).max(MAX_TOOLS).nullish(),
  tool_choice: toolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  reasoning_effort: effort.nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),

  ...extensions,

  // No effect on the response.
  user: ignored,
  metadata: ignored,
  store: ignored,
  service_tier: ignored,
  safety_identifier: ignored,
  prompt_cache_key: ignored,
  prompt_cache_options: ignored,
  prompt_cache_retention: ignored,
  prediction: ignored,

  // These would change the response.
  n: unsupported("only one choice is supported", (value) => value === 1),
  logit_bias: unsupported("Ollama has no logit bias", (value) => isEmptyObject(value)),
  modalities: unsupported("only text is made", (value) => JSON.stringify(value) === '["text"]'),
  audio: unsupported("audio is not supported"),
  verbosity: hint("models of Ollama have no verbosity", (value) => value === "medium"),
  moderation: unsupported("moderation is not supported"),
  web_search_options: hint("the gateway does not search the web"),
  functions: unsupported("deprecated; use tools", isEmptyList),
  function_call: unsupported("deprecated; use tool_choice", (value) => value === "none" || value === "auto"),
};

/** Limited, because it is logged. */
export const modelName = z.string().min(1).max(256);

/** Maximum number of messages in a conversation, in every API. */
export const MAX_MESSAGES = 2048;

export const chatMessages = z.array(message).min(1).max(MAX_MESSAGES);

/** The body of `POST /v1/chat/completions`. Null means absent where OpenAI accepts it. */
export const chatSchema = z.strictObject({
  model: modelName,
  messages: chatMessages,
  stream: z.boolean().nullish(),
  ...chatParameters,
});

export type ChatRequest = z.output<typeof chatSchema>;
export type ChatMessage = ChatRequest["messages"][number];

export type Sampling = Pick<ChatRequest, keyof typeof sampling>;
export type Extensions = Pick<ChatRequest, keyof typeof extensions>;
