import * as z from "zod";

/** Response schemas for the document only, so created with it; responses are not validated. */

const count = z.int().min(0);
const text = z.string();
const nothing = z.null();

const usage = () => z.object({ prompt_tokens: count, completion_tokens: count, total_tokens: count });

const toolCall = () =>
  z.object({
    id: text,
    type: z.literal("function"),
    function: z.object({ name: text, arguments: text }),
  });

export const chatCompletion = () =>
  z.object({
    id: text,
    object: z.literal("chat.completion"),
    created: count,
    model: text,
    choices: z.array(
      z.object({
        index: count,
        message: z.object({
          role: z.literal("assistant"),
          content: text.nullable(),
          refusal: nothing,
          reasoning_content: text.optional().describe("Extension: the model's thinking before its response."),
          reasoning: text.optional().describe("Extension: the same under another name."),
          tool_calls: z.array(toolCall()).optional(),
        }),
        logprobs: z.object({ content: z.array(z.unknown()), refusal: nothing }).nullable(),
        finish_reason: z.enum(["stop", "length", "tool_calls"]),
      }),
    ),
    usage: usage(),
    system_fingerprint: text,
  });

export const completion = () =>
  z.object({
    id: text,
    object: z.literal("text_completion"),
    created: count,
    model: text,
    choices: z.array(
      z.object({
        index: count,
        text,
        logprobs: z.looseObject({ tokens: z.array(text) }).nullable(),
        finish_reason: z.enum(["stop", "length"]),
      }),
    ),
    usage: usage(),
    system_fingerprint: text,
  });

export const embeddings = () =>
  z.object({
    object: z.literal("list"),
    data: z.array(
      z.object({
        object: z.literal("embedding"),
        index: count,
        embedding: z.union([z.array(z.number()), text]),
      }),
    ),
    model: text,
    usage: z.object({ prompt_tokens: count, total_tokens: count }),
  });

export const model = () =>
  z.object({
    id: text,
    object: z.literal("model"),
    created: count,
    owned_by: text,
    context_length: count.optional().describe("Extension: context length in tokens."),
    max_model_len: count.optional().describe("The same under vLLM's name."),
    capabilities: z
      .array(text)
      .optional()
      .describe("Extension: capabilities such as completion, tools, vision, thinking or embedding."),
  });

export const models = () => z.object({ object: z.literal("list"), data: z.array(model()) });

export const response = () =>
  z.looseObject({
    id: text,
    object: z.literal("response"),
    created_at: count,
    status: z.enum(["completed", "incomplete"]),
    model: text,
    output: z.array(
      z.looseObject({
        id: text,
        type: z.enum(["reasoning", "message", "function_call", "custom_tool_call"]),
        status: text,
      }),
    ),
    store: z.boolean(),
    usage: z.looseObject({ input_tokens: count, output_tokens: count, total_tokens: count }),
  });

export const deletedResponse = () =>
  z.object({
    id: text,
    object: z.literal("response"),
    deleted: z.literal(true),
  });

export const itemList = () =>
  z.object({
    object: z.literal("list"),
    data: z.array(z.looseObject({ type: text })),
    first_id: text.nullable(),
    last_id: text.nullable(),
    has_more: z.boolean(),
  });

export const message = () =>
  z.object({
    id: text,
    type: z.literal("message"),
    role: z.literal("assistant"),
    model: text,
    content: z.array(z.looseObject({ type: z.enum(["thinking", "text", "tool_use"]) })),
    stop_reason: z.enum(["end_turn", "max_tokens", "model_context_window_exceeded", "tool_use"]),
    stop_sequence: nothing,
    usage: z.looseObject({ input_tokens: count, output_tokens: count }),
  });

export const tokenCount = () => z.object({ input_tokens: count });

/** Ollama's responses are loose, as newer versions may add fields. */
export const ollamaObject = () => z.looseObject({});

export const healthCheck = () =>
  z.object({
    "Service Title": text,
    Version: text,
    "Service Description": text,
  });

export const statistics = () => z.record(text, z.record(text, z.number().nullable()));

export const alive = () => z.object({ status: z.literal("ok") });
export const accepting = () => z.object({ status: z.literal("accepting") });
export const leaving = () => z.object({ status: z.literal("leaving") });
export const ready = () =>
  z.object({
    status: z.literal("ready"),
    shared_state: z
      .enum(["up", "away"])
      .optional()
      .describe("Only with shared state: whether it is reachable."),
    role: z
      .enum(["active", "standby"])
      .optional()
      .describe("Only with standby gateways: whether this one is active."),
  });
export const notReady = () =>
  z.object({
    status: z.literal("not_ready"),
    reason: text,
    missing: z.array(text).optional(),
  });

export const openAiError = () =>
  z.object({
    error: z.object({ message: text, type: text, param: text.nullable(), code: text }),
  });

export const anthropicError = () =>
  z.object({
    type: z.literal("error"),
    error: z.object({ type: text, message: text, details: z.object({ error_code: text }).optional() }),
    request_id: text,
  });

export const ollamaError = () => z.object({ error: text });
