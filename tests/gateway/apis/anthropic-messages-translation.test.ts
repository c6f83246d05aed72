import { expect, test } from "vitest";
import { translateMessages } from "../../../gateway/src/apis/anthropic-messages/adapter.ts";
import { messagesSchema } from "../../../gateway/src/apis/anthropic-messages/schema.ts";
import { parseBody } from "../../../gateway/src/apis/common/validation.ts";

const user = { role: "user", content: "Hi" };

function translated(body: object): object {
  const asked = parseBody(messagesSchema, { model: "m", max_tokens: 9, messages: [user], ...body });
  return translateMessages(asked).call.body;
}

const bare = {
  model: "m",
  messages: [user],
  stream: false,
  options: { num_predict: 9 },
  truncate: false,
  shift: false,
};
const input_schema = { type: "object", properties: { city: { type: "string" } } };
const tools = [{ name: "f", description: "d", input_schema, cache_control: { type: "ephemeral" } }];
const ollamaTools = [
  { type: "function", function: { name: "f", description: "d", parameters: input_schema } },
];
const forced = {
  tools: ollamaTools,
  format: {
    type: "object",
    properties: { name: { const: "f" }, arguments: input_schema },
    required: ["name", "arguments"],
  },
};

test.each([
  [{}, {}],
  [{ stream: true }, { stream: true }],
  [
    { temperature: 0, top_p: 0.5, top_k: 3, stop_sequences: ["."] },
    { options: { num_predict: 9, temperature: 0, top_p: 0.5, top_k: 3, stop: ["."] } },
  ],
  [{ system: "Be brief." }, { messages: [{ role: "system", content: "Be brief." }, user] }],
  [
    {
      system: [
        { type: "text", text: "Be", cache_control: { type: "ephemeral" } },
        { type: "text", text: "brief." },
      ],
    },
    { messages: [{ role: "system", content: "Be\nbrief." }, user] },
  ],
  [{ thinking: { type: "enabled", budget_tokens: 1024 } }, { think: true }],
  [{ thinking: { type: "adaptive" } }, { think: true }],
  [{ thinking: { type: "disabled" } }, { think: false }],
  [
    { output_config: { format: { type: "json_schema", schema: { type: "object" } } } },
    { format: { type: "object" } },
  ],
  [
    { keep_alive: "1m", num_ctx: 64 },
    { keep_alive: "1m", options: { num_predict: 9, num_ctx: 64 } },
  ],
  [{ speed: "fast", diagnostics: { previous_message_id: null } }, {}],
  [{ metadata: { user_id: "u" }, service_tier: "auto", mcp_servers: [] }, {}],
  [{ tools }, { tools: ollamaTools }],
  [{ tools, tool_choice: { type: "auto" } }, { tools: ollamaTools }],
  [{ tools, tool_choice: { type: "none" } }, {}],
  [{ tools, tool_choice: { type: "any" } }, forced],
  [{ tools, tool_choice: { type: "tool", name: "f" } }, forced],
])("%j becomes %j", (asked, sent) => {
  expect(translated(asked)).toEqual({ ...bare, ...sent });
});

test("every block of a conversation arrives, tools' results before what the user says to them", () => {
  const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } };
  const messages = [
    { role: "user", content: [{ type: "text", text: "What is" }, image, { type: "text", text: "this?" }] },
    {
      role: "assistant",
      content: [
        { type: "thinking", thinking: "Whiskers.", signature: "" },
        { type: "redacted_thinking", data: "x" },
        { type: "text", text: "I look." },
        { type: "tool_use", id: "toolu_1", name: "look", input: { at: "it" } },
        { type: "tool_use", id: "toolu_2", name: "ask", input: {} },
      ],
    },
    {
      role: "user",
      content: [
        { type: "text", text: "Well?" },
        { type: "tool_result", tool_use_id: "toolu_2", content: "nobody", is_error: true },
        { type: "tool_result", tool_use_id: "toolu_1", content: [{ type: "text", text: "a cat" }, image] },
      ],
    },
    { role: "assistant", content: "A cat." },
    { role: "system", content: "Doubt it." },
    {
      role: "system",
      content: [
        { type: "text", text: "Be" },
        { type: "text", text: "brief." },
      ],
    },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_9" }] },
  ];
  expect(translated({ messages })).toEqual({
    ...bare,
    messages: [
      { role: "user", content: "What is\nthis?", images: ["AAAA"] },
      {
        role: "assistant",
        content: "I look.",
        thinking: "Whiskers.",
        tool_calls: [
          { id: "toolu_1", function: { name: "look", arguments: { at: "it" } } },
          { id: "toolu_2", function: { name: "ask", arguments: {} } },
        ],
      },
      { role: "tool", content: "Error: nobody", tool_call_id: "toolu_2", tool_name: "ask" },
      { role: "tool", content: "a cat", images: ["AAAA"], tool_call_id: "toolu_1", tool_name: "look" },
      { role: "user", content: "Well?" },
      { role: "assistant", content: "A cat." },
      { role: "system", content: "Doubt it." },
      { role: "system", content: "Be\nbrief." },
      { role: "tool", content: "", tool_call_id: "toolu_9" },
    ],
  });
});
