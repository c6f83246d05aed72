import { expect } from "vitest";
import * as z from "zod";

// Schemas of a response and of each event of a stream, from the OpenResponses specification (version 2026-04-24) with
// OpenAI's additions: custom tools, namespaces, and the names of reasoning events.

const text = z.string();
const count = z.int().min(0);
const status = z.enum(["in_progress", "completed", "incomplete"]);

const topLogprob = { token: text, logprob: z.number(), bytes: z.array(z.int()) };
const logprob = z.strictObject({ ...topLogprob, top_logprobs: z.array(z.strictObject(topLogprob)) });

const outputText = z.strictObject({
  type: z.literal("output_text"),
  text,
  annotations: z.array(z.unknown()),
  logprobs: z.array(logprob).optional(),
});
const summaryText = z.strictObject({ type: z.literal("summary_text"), text });
const reasoningText = z.strictObject({ type: z.literal("reasoning_text"), text });
const part = z.discriminatedUnion("type", [outputText, summaryText, reasoningText]);

const call = { id: text, call_id: text, name: text, namespace: text.optional(), status };

const item = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("message"),
    id: text,
    status,
    role: z.literal("assistant"),
    content: z.array(outputText),
  }),
  z.strictObject({ type: z.literal("function_call"), ...call, arguments: text }),
  z.strictObject({ type: z.literal("custom_tool_call"), ...call, input: text }),
  z.strictObject({
    type: z.literal("reasoning"),
    id: text,
    status,
    summary: z.array(summaryText),
    content: z.array(reasoningText).optional(),
    encrypted_content: text.optional(),
  }),
]);

const functionTool = z.looseObject({
  type: z.literal("function"),
  name: text,
  description: text.nullable(),
  parameters: z.record(text, z.unknown()).nullable(),
  strict: z.boolean().nullable(),
});
const customTool = z.looseObject({ type: z.literal("custom"), name: text });
const tool = z.discriminatedUnion("type", [
  functionTool,
  customTool,
  z.looseObject({
    type: z.literal("namespace"),
    name: text,
    tools: z.array(z.discriminatedUnion("type", [functionTool, customTool])),
  }),
]);

const namedTool = z.object({ type: z.enum(["function", "custom"]), name: text });

const format = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text") }),
  z.strictObject({ type: z.literal("json_object") }),
  z.strictObject({
    type: z.literal("json_schema"),
    name: text,
    description: text.nullable(),
    schema: z.record(text, z.unknown()),
    strict: z.boolean(),
  }),
]);

const usage = z.strictObject({
  input_tokens: count,
  output_tokens: count,
  total_tokens: count,
  input_tokens_details: z.strictObject({ cached_tokens: count }),
  output_tokens_details: z.strictObject({ reasoning_tokens: count }),
});

const response = z.strictObject({
  id: text.startsWith("resp_"),
  object: z.literal("response"),
  created_at: count,
  completed_at: count.nullable(),
  status: z.enum(["in_progress", "completed", "incomplete", "failed"]),
  incomplete_details: z.strictObject({ reason: text }).nullable(),
  model: text,
  previous_response_id: text.nullable(),
  instructions: text.nullable(),
  output: z.array(item),
  error: z.strictObject({ code: text, message: text }).nullable(),
  tools: z.array(tool),
  tool_choice: z.union([
    z.enum(["auto", "none", "required"]),
    namedTool,
    z.object({
      type: z.literal("allowed_tools"),
      mode: z.enum(["auto", "required"]),
      tools: z.array(namedTool),
    }),
  ]),
  truncation: z.enum(["auto", "disabled"]),
  parallel_tool_calls: z.boolean(),
  text: z.strictObject({ format }),
  top_p: z.number(),
  presence_penalty: z.number(),
  frequency_penalty: z.number(),
  top_logprobs: count,
  temperature: z.number(),
  reasoning: z.strictObject({ effort: text.nullable(), summary: text.nullable() }).nullable(),
  user: text.nullable(),
  usage: usage.nullable(),
  max_output_tokens: count.nullable(),
  max_tool_calls: count.nullable(),
  store: z.boolean(),
  background: z.boolean(),
  service_tier: text,
  metadata: z.record(text, text),
  safety_identifier: text.nullable(),
  prompt_cache_key: text.nullable(),
});

const numbered = { sequence_number: count };
const ofItem = { ...numbered, output_index: count };
const ofText = { ...ofItem, item_id: text };
const ofContent = { ...ofText, content_index: count };
const ofSummary = { ...ofText, summary_index: count };
const probabilities = { logprobs: z.array(logprob) };

const fields: Readonly<Record<string, z.core.$ZodLooseShape>> = {
  "response.created": { ...numbered, response },
  "response.in_progress": { ...numbered, response },
  "response.completed": { ...numbered, response },
  "response.incomplete": { ...numbered, response },
  "response.failed": { ...numbered, response },
  "response.output_item.added": { ...ofItem, item },
  "response.output_item.done": { ...ofItem, item },
  "response.content_part.added": { ...ofContent, part },
  "response.content_part.done": { ...ofContent, part },
  "response.output_text.delta": { ...ofContent, delta: text, ...probabilities },
  "response.output_text.done": { ...ofContent, text, ...probabilities },
  "response.reasoning_text.delta": { ...ofContent, delta: text },
  "response.reasoning_text.done": { ...ofContent, text },
  "response.reasoning_summary_part.added": { ...ofSummary, part: summaryText },
  "response.reasoning_summary_part.done": { ...ofSummary, part: summaryText },
  "response.reasoning_summary_text.delta": { ...ofSummary, delta: text },
  "response.reasoning_summary_text.done": { ...ofSummary, text },
  "response.function_call_arguments.delta": { ...ofText, delta: text },
  "response.function_call_arguments.done": { ...ofText, name: text, arguments: text },
  "response.custom_tool_call_input.delta": { ...ofText, delta: text },
  "response.custom_tool_call_input.done": { ...ofText, input: text },
  error: { ...numbered, code: text.nullable(), message: text, param: text.nullable() },
};

const event = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("response.created"), ...numbered, response }),
  ...Object.entries(fields)
    .filter(([type]) => type !== "response.created")
    .map(([type, shape]) => z.strictObject({ type: z.literal(type), ...shape })),
]);

export type OpenResponse = z.output<typeof response>;

export interface OpenEvent {
  readonly type: string;
  readonly sequence_number: number;
  readonly item_id?: string;
  readonly item?: z.output<typeof item>;
  readonly response?: OpenResponse;
  readonly delta?: string;
}

/** Checks a response against the specification. */
export function checkedResponse(json: unknown): OpenResponse {
  return response.parse(json);
}

/**
 * Checks a stream against the specification: each event, the sequence numbers, and that the items of the last event are
 * those that earlier events added and completed.
 *
 * @param data the events as sent, including the line with their name
 */
export function checkedEvents(data: readonly string[]): OpenEvent[] {
  const events = data.map((sent) => {
    const [, name, json = ""] = /^event: ([\w.]+)\ndata: (.*)$/.exec(sent) ?? [];
    const parsed = event.parse(JSON.parse(json)) as OpenEvent;
    expect(name).toBe(parsed.type);
    return parsed;
  });
  expect(events.map(({ sequence_number: number }) => number)).toEqual(events.map((_event, index) => index));
  const idsOf = (type: string) => events.filter((each) => each.type === type).map((each) => each.item?.id);
  const last = events.findLast(({ response: ended }) => ended !== undefined)?.response;
  expect(idsOf("response.output_item.added").slice(0, last?.output.length)).toEqual(
    last?.output.map(({ id }) => id),
  );
  expect(idsOf("response.output_item.done")).toEqual(last?.output.map(({ id }) => id));
  return events;
}
