import { expect, test } from "vitest";
import { chosenTools, toOllamaChat } from "../../../gateway/src/apis/openai-chat/request.ts";
import { chatSchema } from "../../../gateway/src/apis/openai-chat/schema.ts";
import { parseBody } from "../../../gateway/src/apis/common/validation.ts";

const user = { role: "user", content: "Hi" };

function translate(body: object): object {
  const request = parseBody(chatSchema, { model: "m", messages: [user], ...body });
  return toOllamaChat(request, chosenTools(request, { ignore: () => undefined }));
}

const bare = {
  model: "m",
  messages: [user],
  stream: false,
  options: {},
  truncate: false,
  shift: false,
};

test("leaves unset parameters to the model, and disables truncation", () => {
  expect(translate({})).toEqual(bare);
});

test.each([
  [{ temperature: 0 }, { options: { temperature: 0 } }],
  [{ top_p: 0.5 }, { options: { top_p: 0.5 } }],
  [{ seed: 7 }, { options: { seed: 7 } }],
  [{ max_tokens: 5 }, { options: { num_predict: 5 } }],
  [{ max_completion_tokens: 6, max_tokens: 5 }, { options: { num_predict: 6 } }],
  [{ stop: "." }, { options: { stop: ["."] } }],
  [{ stop: [".", "!"] }, { options: { stop: [".", "!"] } }],
  [{ presence_penalty: 1 }, { options: { presence_penalty: 1 } }],
  [{ frequency_penalty: -1 }, { options: { frequency_penalty: -1 } }],
  [{ stream: true }, { stream: true }],
  [{ response_format: { type: "text" } }, {}],
  [{ response_format: { type: "json_object" } }, { format: "json" }],
  [
    { response_format: { type: "json_schema", json_schema: { name: "n", schema: { type: "object" } } } },
    { format: { type: "object" } },
  ],
  [{ reasoning_effort: "none" }, { think: false }],
  [{ reasoning_effort: "minimal" }, { think: "low" }],
  [{ reasoning_effort: "high" }, { think: "high" }],
  [{ reasoning_effort: "xhigh" }, { think: "high" }],
  [{ reasoning_effort: "max" }, { think: "high" }],
  [{ keep_alive: "10m" }, { keep_alive: "10m" }],
  [{ keep_alive: 0 }, { keep_alive: 0 }],
  [{ num_ctx: 512 }, { options: { num_ctx: 512 } }],
  [{ options: { top_k: 5, seed: 1 }, seed: 7 }, { options: { top_k: 5, seed: 7 } }],
  [{ truncate: true }, { truncate: true, shift: true }],
  [{ truncate: false }, {}],
  [{ logprobs: true }, { logprobs: true, top_logprobs: 0 }],
  [{ temperature: null, top_p: null, stop: null, max_tokens: null, seed: null, tools: null }, {}],
  [{ response_format: { type: "json_schema", json_schema: { name: "n" } } }, { format: "json" }],
  [{ prompt_cache_options: { mode: "explicit", ttl: "30m" }, prompt_cache_key: "k" }, {}],
  [
    { messages: [{ role: "user", content: [{ type: "text", text: "Hi", prompt_cache_breakpoint: {} }] }] },
    {},
  ],
  [{ user: "u", metadata: { a: "b" }, store: true, service_tier: "auto", n: 1, logit_bias: {} }, {}],
])("%j becomes %j", (request, expected) => {
  expect(translate(request)).toEqual({ ...bare, ...expected });
});

const tools = [{ type: "function", function: { name: "f", parameters: { type: "object" } } }];

test("passes on tools unless tool_choice is none", () => {
  expect(translate({ tools })).toEqual({ ...bare, tools });
  expect(translate({ tools, tool_choice: "auto", parallel_tool_calls: true })).toEqual({ ...bare, tools });
  expect(translate({ tools, tool_choice: "none" })).toEqual(bare);
});

test("passes on only the allowed tools", () => {
  const allTools = [...tools, { type: "function", function: { name: "g" } }];
  const allowing = (mode: string) => ({
    tools: allTools,
    tool_choice: {
      type: "allowed_tools",
      allowed_tools: { mode, tools: [{ type: "function", function: { name: "f" } }] },
    },
  });
  expect(translate(allowing("auto"))).toEqual({ ...bare, tools });
  const named = { type: "function", function: { name: "f" } };
  expect(translate(allowing("required"))).toEqual(translate({ tools, tool_choice: named }));
});

test("translates messages of every role, in order", () => {
  const messages = [
    { role: "system", content: "Be brief." },
    { role: "developer", content: [{ type: "text", text: "Be kind." }] },
    {
      role: "user",
      content: [
        { type: "text", text: "What is" },
        { type: "image_url", image_url: { url: "data:image/png;base64,AAAA", detail: "low" } },
        { type: "text", text: "this?" },
      ],
    },
    {
      role: "assistant",
      content: null,
      tool_calls: [
        { id: "call_1", index: 0, type: "function", function: { name: "look", arguments: '{"at":"it"}' } },
        { id: "call_2", type: "function", function: { name: "ask", arguments: "who?" } },
        { id: "call_3", type: "function", function: { name: "now", arguments: "" } },
      ],
    },
    { role: "tool", tool_call_id: "call_2", content: "nobody" },
    { role: "tool", tool_call_id: "call_1", content: "a cat" },
    { role: "assistant", content: "A cat.", reasoning_content: "Whiskers." },
    { role: "user", content: "Sure?" },
  ];
  expect(translate({ messages })).toEqual({
    ...bare,
    messages: [
      { role: "system", content: "Be brief.\n\nBe kind." },
      { role: "user", content: "What is\nthis?", images: ["AAAA"] },
      {
        role: "assistant",
        content: "",
        tool_calls: [
          { id: "call_1", function: { name: "look", arguments: { at: "it" } } },
          { id: "call_2", function: { name: "ask", arguments: { value: "who?" } } },
          { id: "call_3", function: { name: "now", arguments: {} } },
        ],
      },
      { role: "tool", content: "nobody", tool_call_id: "call_2", tool_name: "ask" },
      { role: "tool", content: "a cat", tool_call_id: "call_1", tool_name: "look" },
      { role: "assistant", content: "A cat.", thinking: "Whiskers." },
      { role: "user", content: "Sure?" },
    ],
  });
});
