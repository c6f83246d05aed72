import { expect, test } from "vitest";
import { adaptResponses } from "../../../gateway/src/apis/openai-responses/adapter.ts";
import { responsesSchema } from "../../../gateway/src/apis/openai-responses/schema.ts";
import { parseBody } from "../../../gateway/src/apis/common/validation.ts";

function translate(body: object): object {
  return adaptResponses(parseBody(responsesSchema, { model: "m", input: "Hi", ...body }), {
    ignore: () => undefined,
  }).call.body;
}

const user = { role: "user", content: "Hi" };
const bare = { model: "m", messages: [user], stream: false, options: {}, truncate: false, shift: false };
const parameters = { type: "object", properties: {} };
const tools = [{ type: "function", name: "f", description: "d", parameters, strict: true }];
const ollamaTools = [{ type: "function", function: { name: "f", description: "d", parameters } }];
const forced = {
  tools: ollamaTools,
  format: {
    type: "object",
    properties: { name: { const: "f" }, arguments: parameters },
    required: ["name", "arguments"],
  },
};

const serverTools = [{ type: "web_search", external_web_access: false }, { type: "local_shell" }];

const customTool = (description: string) => ({
  type: "function",
  function: {
    name: "patch",
    description,
    parameters: {
      type: "object",
      properties: { input: { type: "string", description: "The input of the tool, as text." } },
      required: ["input"],
    },
  },
});

const allowing = (mode: string) => ({
  type: "allowed_tools",
  mode,
  tools: [{ type: "function", name: "f" }],
});

test.each([
  [{}, {}],
  [{ stream: true, stream_options: { include_obfuscation: false } }, { stream: true }],
  [{ instructions: "Be brief." }, { messages: [{ role: "system", content: "Be brief." }, user] }],
  [
    { max_output_tokens: 9, temperature: 0, top_p: 0.5 },
    { options: { num_predict: 9, temperature: 0, top_p: 0.5 } },
  ],
  [{ text: { format: { type: "text" } } }, {}],
  [{ text: { format: { type: "json_object" } } }, { format: "json" }],
  [
    { text: { format: { type: "json_schema", name: "n", schema: { type: "object" } } } },
    { format: { type: "object" } },
  ],
  [{ reasoning: { effort: "low", summary: "auto" } }, { think: "low" }],
  [{ reasoning: { effort: "none" } }, { think: false }],
  [{ top_logprobs: 2 }, { logprobs: true, top_logprobs: 2 }],
  [{ include: ["message.output_text.logprobs"] }, { logprobs: true, top_logprobs: 0 }],
  [
    { include: ["reasoning.encrypted_content"], store: false, metadata: {}, user: "u", background: false },
    {},
  ],
  [{ truncation: "auto" }, { truncate: true, shift: true }],
  [{ truncation: "disabled" }, {}],
  [
    { keep_alive: -1, num_ctx: 64 },
    { keep_alive: -1, options: { num_ctx: 64 } },
  ],
  [{ tools }, { tools: ollamaTools }],
  [{ tools, tool_choice: "none" }, {}],
  [{ tools, tool_choice: "required" }, forced],
  [{ tools, tool_choice: { type: "function", name: "f" } }, forced],
  [
    { tools: [...tools, { type: "function", name: "g" }], tool_choice: allowing("auto") },
    { tools: ollamaTools },
  ],
  [{ tools: [...tools, { type: "function", name: "g" }], tool_choice: allowing("required") }, forced],
  [{ reasoning: { effort: "max", mode: "standard", context: "auto" } }, { think: "high" }],
  [
    {
      prompt_cache_options: { mode: "implicit", ttl: "12h", prewarm: false },
      context_management: [],
      access_programs: { cyber: "standard" },
      image: { context_compression: "auto" },
    },
    {},
  ],
])("%j becomes %j", (request, expected) => {
  expect(translate(request)).toEqual({ ...bare, ...expected });
});

test.each([
  ["null is absent", { tools: null, input: [{ role: "user", content: "Hi", id: null, type: null }] }, {}],
  [
    "penalties become options",
    { presence_penalty: 1, frequency_penalty: -1 },
    { options: { presence_penalty: 1, frequency_penalty: -1 } },
  ],
  [
    "the tools of a namespace become functions prefixed with its name, except for the default one",
    {
      tools: [
        { type: "namespace", name: "crm", tools: [tools[0]] },
        { type: "namespace", name: "mcp__x__", tools: [{ type: "function", name: "g" }] },
        { type: "namespace", name: "functions", description: "", tools: [{ type: "function", name: "h" }] },
      ],
    },
    {
      tools: [
        { type: "function", function: { name: "crm__f", description: "d", parameters } },
        { type: "function", function: { name: "mcp__x__g" } },
        { type: "function", function: { name: "h" } },
      ],
    },
  ],
  [
    "tools with the same flattened name get different names",
    {
      tools: [
        { type: "function", name: "a__f" },
        { type: "namespace", name: "a", tools: [{ type: "function", name: "f" }] },
      ],
    },
    {
      tools: [
        { type: "function", function: { name: "a__f" } },
        { type: "function", function: { name: "a__f_2" } },
      ],
    },
  ],
  [
    "a custom tool becomes a function with one string",
    { tools: [{ type: "custom", name: "patch", description: "Patches.", format: { type: "text" } }] },
    { tools: [customTool("Patches.")] },
  ],
  [
    "the grammar of a custom tool becomes part of its description",
    {
      tools: [
        {
          type: "custom",
          name: "patch",
          description: "Patches.",
          format: { type: "grammar", syntax: "lark", definition: "start: /.+/" },
        },
      ],
    },
    { tools: [customTool("Patches.\n\nThe lark grammar of its input:\nstart: /.+/")] },
  ],
  [
    "tools in the input are added to the tools",
    {
      input: [
        { type: "additional_tools", role: "developer", id: "at_1", tools },
        { type: "message", role: "user", content: "Hi" },
      ],
    },
    { tools: ollamaTools },
  ],
  [
    "a later definition of a tool replaces an earlier one",
    {
      tools: [{ ...tools[0], description: "old" }],
      input: [
        { type: "additional_tools", tools: [{ ...tools[0], description: "older" }] },
        { type: "additional_tools", tools },
        { type: "message", role: "user", content: "Hi" },
      ],
    },
    { tools: ollamaTools },
  ],
  [
    "tools that the gateway cannot run are omitted",
    { tools: [...tools, ...serverTools] },
    { tools: ollamaTools },
  ],
  ["a request with no other tools has none", { tools: serverTools, tool_choice: "auto" }, {}],
  [
    "allowed tools are the functions among them",
    {
      tools: [...tools, ...serverTools],
      tool_choice: {
        type: "allowed_tools",
        mode: "required",
        tools: [{ type: "web_search" }, { type: "function", name: "f" }],
      },
    },
    forced,
  ],
])("%s", (_name, request, expected) => {
  expect(translate(request)).toEqual({ ...bare, ...expected });
});

test("reports omitted tools and grammars", () => {
  const grammar = { type: "grammar", syntax: "lark", definition: "start: /.+/" };
  const nested = [{ type: "custom", name: "patch", format: grammar }, { type: "image_generation" }];
  const all = [...tools, ...serverTools, { type: "namespace", name: "n", tools: nested }];
  const names: string[] = [];
  adaptResponses(parseBody(responsesSchema, { model: "m", input: "Hi", tools: all }), {
    ignore: (name) => void names.push(name),
  });
  expect(names).toEqual(["tools[1]", "tools[2]", "tools[3].tools[0].format", "tools[3].tools[1]"]);
});

test("rejects too many tools, even if they are grouped in namespaces", () => {
  const functions = Array.from({ length: 300 }, (_each, i) => ({ type: "function", name: `f${i}` }));
  const grouped = ["a", "b"].map((name) => ({ type: "namespace", name, tools: functions }));
  const rejection = { code: "invalid_value", param: "tools" };
  expect(() => translate({ tools: grouped })).toThrow(expect.objectContaining(rejection));
});

test.each([
  ["a namespace's tool", { type: "function", name: "f", namespace: "crm" }, "crm__f"],
  ["a custom tool", { type: "custom", name: "patch" }, "patch"],
])("tool_choice can require a call of %s", (_name, choice, toolName) => {
  const all = [
    { type: "namespace", name: "crm", tools },
    { type: "custom", name: "patch" },
  ];
  expect(translate({ tools: all, tool_choice: choice })).toMatchObject({
    format: { properties: { name: { const: toolName } } },
  });
});

test("translates every item, and merges the items of one turn of the model into one message", () => {
  const input = [
    { role: "developer", content: "Be brief." },
    {
      type: "message",
      role: "user",
      content: [
        { type: "input_text", text: "What is this?" },
        { type: "input_image", image_url: "data:image/png;base64,AAAA", detail: "auto" },
      ],
    },
    {
      type: "reasoning",
      id: "rs_1",
      summary: [],
      content: [{ type: "reasoning_text", text: "Whiskers." }],
    },
    {
      type: "message",
      id: "msg_1",
      status: "completed",
      role: "assistant",
      content: [{ type: "output_text", text: "I look.", annotations: [], logprobs: [] }],
    },
    { type: "function_call", id: "fc_1", call_id: "call_1", name: "look", arguments: '{"at":"it"}' },
    { type: "function_call", call_id: "call_2", name: "ask", arguments: "{}", status: "completed" },
    { type: "function_call_output", call_id: "call_1", output: "a cat" },
    { type: "function_call_output", call_id: "call_2", output: [{ type: "input_text", text: "nobody" }] },
    { type: "function_call_output", name: "watch", output: "it sleeps", caller: { type: "direct" } },
    { role: "assistant", content: "A cat." },
    { role: "assistant", content: [{ type: "refusal", refusal: "No more." }] },
    { role: "user", content: "Sure?" },
  ];
  expect(translate({ input })).toEqual({
    ...bare,
    messages: [
      { role: "system", content: "Be brief." },
      { role: "user", content: "What is this?", images: ["AAAA"] },
      {
        role: "assistant",
        content: "I look.",
        thinking: "Whiskers.",
        tool_calls: [
          { id: "call_1", function: { name: "look", arguments: { at: "it" } } },
          { id: "call_2", function: { name: "ask", arguments: {} } },
        ],
      },
      { role: "tool", content: "a cat", tool_call_id: "call_1", tool_name: "look" },
      { role: "tool", content: "nobody", tool_call_id: "call_2", tool_name: "ask" },
      { role: "tool", content: "it sleeps", tool_name: "watch" },
      { role: "assistant", content: "A cat." },
      { role: "assistant", content: "No more." },
      { role: "user", content: "Sure?" },
    ],
  });
});

test("rejects the output of a call without call_id and name", () => {
  const input = [{ type: "function_call_output", output: "a cat" }];
  const rejection = { code: "missing_required_parameter", param: "input[0].call_id" };
  expect(() => translate({ input })).toThrow(expect.objectContaining(rejection));
});

test("passes on only once a tool that is allowed twice", () => {
  const [tool] = allowing("auto").tools;
  const tools = [{ type: "function", name: "f", parameters }];
  const body = translate({ tools, tool_choice: { ...allowing("auto"), tools: [tool, tool] } });
  expect((body as { tools?: object[] }).tools).toHaveLength(1);
});
