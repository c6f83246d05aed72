import { expect, test } from "vitest";
import { adaptMessages, adaptTokenCount } from "../../../gateway/src/apis/anthropic-messages/adapter.ts";
import { countTokensSchema, messagesSchema } from "../../../gateway/src/apis/anthropic-messages/schema.ts";
import { parseBody } from "../../../gateway/src/apis/common/validation.ts";

const user = { role: "user", content: "Hi" };

function adapt(body: object): { readonly sent: object; readonly ignored: readonly string[] } {
  const ignored: string[] = [];
  const parsed = parseBody(messagesSchema, { model: "m", max_tokens: 9, messages: [user], ...body });
  return { sent: adaptMessages(parsed, { ignore: (name) => void ignored.push(name) }).call.body, ignored };
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
const schema = { type: "object" };

test.each([
  [{}, {}],
  [{ stream: true }, { stream: true }],
  [
    { temperature: 0, top_p: 0.5, top_k: 3, stop_sequences: ["."] },
    { options: { num_predict: 9, temperature: 0, top_p: 0.5, top_k: 3, stop: ["."] } },
  ],
  [{ temperature: null, top_k: null, stop_sequences: [""], tools: null, system: null }, {}],
  [{ max_tokens: 0 }, { options: { num_predict: 1 } }],
  [{ system: "Be brief." }, { messages: [{ role: "system", content: "Be brief." }, user] }],
  [
    {
      system: [
        { type: "text", text: "x-anthropic-billing-header: cc_version=2.1; cch=1f" },
        { type: "text", text: "Be", cache_control: { type: "ephemeral" }, citations: null },
        { type: "text", text: "brief." },
      ],
    },
    { messages: [{ role: "system", content: "Be\nbrief." }, user] },
  ],
  [{ thinking: { type: "enabled", budget_tokens: 1024 } }, { think: true }],
  [{ thinking: { type: "adaptive", display: "updates" } }, { think: true }],
  [{ thinking: { type: "disabled" }, output_config: { effort: "high" } }, { think: false }],
  [{ thinking: { type: "adaptive" }, output_config: { effort: "low" } }, { think: "low" }],
  [{ output_config: { effort: "max" } }, { think: "high" }],
  [{ output_config: { format: { type: "json_schema", schema } } }, { format: schema }],
  [{ output_format: { type: "json_schema", schema } }, { format: schema }],
  [
    { keep_alive: "1m", num_ctx: 64 },
    { keep_alive: "1m", options: { num_predict: 9, num_ctx: 64 } },
  ],
  [{ diagnostics: { previous_message_id: null }, container: null, thread: null }, {}],
  [{ metadata: { user_id: "u" }, service_tier: "auto", mcp_servers: [] }, {}],
  [{ tools }, { tools: ollamaTools }],
  [{ tools, tool_choice: { type: "auto" } }, { tools: ollamaTools }],
  [{ tools, tool_choice: { type: "none" } }, {}],
  [{ tools, tool_choice: { type: "any" } }, forced],
  [{ tools, tool_choice: { type: "tool", name: "f" } }, forced],
])("%j becomes %j", (request, expected) => {
  expect(adapt(request).sent).toEqual({ ...bare, ...expected });
});

test("a token count sends the same prompt, without a format and with num_predict 1", () => {
  const request = { model: "m", messages: [user], system: "Be brief.", tools, tool_choice: { type: "any" } };
  const body = parseBody(countTokensSchema, {
    ...request,
    thinking: { type: "enabled", budget_tokens: 1024 },
  });
  expect(adaptTokenCount(body, { ignore: () => undefined }).call.body).toEqual({
    ...bare,
    messages: [{ role: "system", content: "Be brief." }, user],
    options: { num_predict: 1 },
    tools: ollamaTools,
    think: true,
  });
});

const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } };
const text = (content: string) => ({ type: "text", text: content });

test("translates every content block, tool results before the user's text", () => {
  const messages = [
    { role: "user", content: [text("What is"), image, text("this?")] },
    {
      role: "assistant",
      content: [
        { type: "thinking", thinking: "Whiskers.", signature: "" },
        { type: "redacted_thinking", data: "x" },
        { ...text("I look."), citations: null },
        { type: "tool_use", id: "toolu_1", name: "look", input: { at: "it" }, caller: { type: "direct" } },
        { type: "tool_use", id: "toolu_2", name: "ask", input: {} },
      ],
    },
    {
      role: "user",
      content: [
        text("Well?"),
        { type: "tool_result", tool_use_id: "toolu_2", content: "nobody", is_error: true },
        { type: "tool_result", tool_use_id: "toolu_1", content: [text("a cat"), image] },
      ],
    },
    { role: "assistant", content: "A cat.", id: "msg_1", usage: {} },
    { role: "assistant", content: null },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_9", content: null }] },
  ];
  expect(adapt({ messages }).sent).toEqual({
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
      { role: "assistant", content: "" },
      { role: "tool", content: "", tool_call_id: "toolu_9" },
    ],
  });
});

function messagesOf(messages: readonly object[], rest: object = {}): unknown {
  return (adapt({ messages, ...rest }).sent as { messages: unknown }).messages;
}

test("merges system messages before the first reply into the prompt, and turns later ones into reminders", () => {
  const messages = [
    user,
    { role: "system", content: [text("You are"), text("in Oslo.")] },
    { role: "assistant", content: "Hello." },
    { role: "system", content: "It rains.", clear_at: "next_user_message" },
    { role: "user", content: "And now?" },
    { role: "system", content: "It is late.", clear_at: "next_user_message" },
  ];
  expect(messagesOf(messages, { system: "Be brief." })).toEqual([
    { role: "system", content: "Be brief.\n\nYou are\nin Oslo." },
    user,
    { role: "assistant", content: "Hello." },
    { role: "user", content: "And now?" },
    { role: "user", content: "<system-reminder>\nIt is late.\n</system-reminder>" },
  ]);
});

test("uses the effort of the last system message that sets one", () => {
  const systemMessage = { role: "system", content: "Hurry.", output_config: { effort: "low" } };
  expect(adapt({ messages: [user, systemMessage], output_config: { effort: "max" } }).sent).toMatchObject({
    think: "low",
  });
});

test("translates documents and search results to text", () => {
  const document = (source: object, rest: object = {}) => ({ type: "document", source, ...rest });
  const content = [
    document(
      { type: "text", media_type: "text/plain", data: "One." },
      { title: 'The "first"', context: "Draft." },
    ),
    document({ type: "content", content: [text("Two."), image] }, { citations: { enabled: true } }),
    document({ type: "content", content: "Three." }, { title: null }),
    document({ type: "base64", media_type: "text/markdown", data: Buffer.from("Four.").toString("base64") }),
    { type: "search_result", title: "News", source: "http://x", content: [text("Five.")] },
  ];
  expect(messagesOf([{ role: "user", content }])).toEqual([
    {
      role: "user",
      content: [
        '<document title="The \\"first\\"">\nDraft.\n\nOne.\n</document>',
        "<document>\nTwo.\n</document>",
        "<document>\nThree.\n</document>",
        "<document>\nFour.\n</document>",
        '<search_result title="News" source="http://x">\nFive.\n</search_result>',
      ].join("\n"),
      images: ["AAAA"],
    },
  ]);
});

test("translates the blocks of server-side tools to tool calls and results", () => {
  const content = [
    text("I search."),
    { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "cats" } },
    {
      type: "web_search_tool_result",
      tool_use_id: "srvtoolu_1",
      content: [{ type: "web_search_result", title: "Cats", url: "http://c", encrypted_content: "zzz" }],
    },
    { type: "mcp_tool_use", id: "mcptoolu_1", name: "echo", server_name: "s", input: {} },
    { type: "mcp_tool_result", tool_use_id: "mcptoolu_1", is_error: true, content: [text("no")] },
    {
      type: "code_execution_tool_result",
      tool_use_id: "x",
      content: { stdout: "4", stderr: "", return_code: 0 },
    },
    { type: "compaction", content: "Earlier: greetings." },
    { type: "fallback", from: {}, to: {} },
    { type: "of_next_year", secret: "zzz" },
    text("Found."),
  ];
  expect(messagesOf([user, { role: "assistant", content }, user])).toEqual([
    user,
    {
      role: "assistant",
      content: "I search.",
      tool_calls: [{ id: "srvtoolu_1", function: { name: "web_search", arguments: { query: "cats" } } }],
    },
    { role: "tool", content: "Cats\nhttp://c", tool_call_id: "srvtoolu_1", tool_name: "web_search" },
    {
      role: "assistant",
      content: "",
      tool_calls: [{ id: "mcptoolu_1", function: { name: "echo", arguments: {} } }],
    },
    { role: "tool", content: "Error: no", tool_call_id: "mcptoolu_1", tool_name: "echo" },
    { role: "tool", content: "4", tool_call_id: "x" },
    { role: "assistant", content: "Earlier: greetings.\nFound." },
    user,
  ]);
});

const pdf = {
  type: "document",
  title: "Plan",
  source: { type: "base64", media_type: "application/pdf", data: "AAAA" },
};
const linked = { type: "image", source: { type: "url", url: "http://x" } };

test("replaces unreadable content in tool results and earlier messages with notes", () => {
  const results = [
    { type: "tool_result", tool_use_id: "t", content: [linked, { type: "browser_state", url: "http://b" }] },
    pdf,
  ];
  const notes = [
    "[An image was left out: nothing is fetched, and no file is kept.]",
    "[A document (Plan) was left out: only text is read, no PDF, address or file.]",
  ];
  const messages = [
    { role: "user", content: [text("Look"), linked] },
    { role: "user", content: results },
  ];
  expect(messagesOf(messages)).toEqual([
    { role: "user", content: `Look\n${notes[0]}` },
    { role: "tool", content: `${notes[0]}\nhttp://b`, tool_call_id: "t" },
    { role: "user", content: notes[1] },
  ]);
});

test.each([[linked], [pdf], [{ type: "container_upload", file_id: "f" }]])(
  "rejects %j in the newest message",
  (block) => {
    const messages = [user, { role: "user", content: [text("Look"), block] }];
    expect(() => adapt({ messages })).toThrow("messages[1].content[1]");
  },
);
