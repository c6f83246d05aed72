import { expect, test } from "vitest";
import { decodeReasoning } from "../../../gateway/src/apis/openai-responses/encrypted-reasoning.ts";
import { type Step, last, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  loadOfTwoComments,
  readEvents,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import { checkedEvents, checkedResponse } from "../../../test-support/apis/openresponses.ts";

const route = "/v1/responses";

const line = (message: object): Step => ({
  line: { message: { role: "assistant", ...message }, done: false },
});

const toolCall = (name: string, args: unknown): Step =>
  line({ content: "", tool_calls: [{ function: { name, arguments: args } }] });

/** Sends a request buffered and streaming. Checks both responses against the specification. */
async function createBoth(body: object, ...script: Step[]) {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  fake.respondWith(...script);
  const buffered = checkedResponse(
    await (await gateway.post(route, { model: "m", input: "Hi", ...body })).json(),
  );
  const streaming = await gateway.post(route, { model: "m", input: "Hi", ...body, stream: true });
  const events = checkedEvents((await readEvents(streaming)).data);
  return { buffered, events, streamed: events.at(-1)?.response, types: events.map(({ type }) => type) };
}

const thinking = [line({ content: "", thinking: "Hm. " }), line({ content: "", thinking: "Yes." })];

test("repeats the parameters in the response, with numbers where the model's defaults apply", async () => {
  const { buffered, streamed } = await createBoth(
    {
      instructions: "Be brief.",
      max_output_tokens: 9,
      max_tool_calls: 3,
      metadata: { a: "b" },
      prompt_cache_key: "k",
      safety_identifier: "s",
      user: "u",
      temperature: 0,
      top_logprobs: 2,
      store: false,
      truncation: "auto",
      parallel_tool_calls: false,
      text: { format: { type: "json_schema", name: "n", schema: { type: "object" } } },
      reasoning: { effort: "low" },
    },
    token("{}"),
    last(),
  );
  for (const response of [buffered, streamed]) {
    expect(response).toMatchObject({
      instructions: "Be brief.",
      max_output_tokens: 9,
      max_tool_calls: 3,
      metadata: { a: "b" },
      prompt_cache_key: "k",
      safety_identifier: "s",
      user: "u",
      temperature: 0,
      top_p: 1,
      presence_penalty: 0,
      frequency_penalty: 0,
      top_logprobs: 2,
      store: false,
      truncation: "auto",
      parallel_tool_calls: false,
      text: { format: { name: "n", description: null, strict: false } },
      reasoning: { effort: "low", summary: null },
    });
    expect(response?.completed_at).toBeGreaterThanOrEqual(response?.created_at ?? Infinity);
  }
});

test("reports a response cut off by its limit as incomplete", async () => {
  const { buffered, streamed } = await createBoth({}, token("Hel"), last({ done_reason: "length" }));
  for (const response of [buffered, streamed])
    expect(response).toMatchObject({ status: "incomplete", completed_at: null });
});

test("keeps the log probabilities of thinking out of the message", async () => {
  const entry = (token: string) => ({ token, logprob: -0.5 });
  const thought = { message: { role: "assistant", content: "", thinking: "Hm." }, logprobs: [entry("Hm.")] };
  const said = { message: { role: "assistant", content: "Hi" }, logprobs: [entry("Hi")] };
  const { buffered, streamed } = await createBoth(
    { include: ["message.output_text.logprobs"] },
    { line: thought },
    { line: thought },
    { line: said },
    last(),
  );
  for (const response of [buffered, streamed])
    expect(response?.output).toMatchObject([
      { type: "reasoning" },
      { type: "message", content: [{ text: "Hi", logprobs: [{ token: "Hi" }] }] },
    ]);
});

test("returns thinking as text if the summary is none", async () => {
  const { buffered } = await createBoth({ reasoning: { summary: "none" } }, ...thinking, token("Hi"), last());
  expect(buffered.output[0]).toMatchObject({ summary: [], content: [{ text: "Hm. Yes." }] });
});

test("returns thinking as text by default", async () => {
  const { buffered, types } = await createBoth({}, ...thinking, token("Hi"), last());
  expect(buffered.output[0]).toMatchObject({ summary: [], content: [{ text: "Hm. Yes." }] });
  expect(buffered.output[0]).not.toHaveProperty("encrypted_content");
  expect(types).toContain("response.reasoning_text.delta");
});

test.each(["summary", "generate_summary"])(
  "returns thinking as a summary if %s requests one",
  async (field) => {
    const reasoning = { [field]: "auto" };
    const { buffered, streamed, events } = await createBoth({ reasoning }, ...thinking, token("Hi"), last());
    const item = { type: "reasoning", summary: [{ type: "summary_text", text: "Hm. Yes." }] };
    for (const response of [buffered, streamed]) {
      expect(response?.output).toMatchObject([item, { type: "message" }]);
      expect(response?.output[0]).not.toHaveProperty("content");
      expect(response?.reasoning).toEqual({ effort: null, summary: "auto" });
    }
    expect(events.slice(2, 9)).toMatchObject([
      { type: "response.output_item.added", item: { type: "reasoning", summary: [] } },
      { type: "response.reasoning_summary_part.added", part: { text: "" } },
      { type: "response.reasoning_summary_text.delta", summary_index: 0, delta: "Hm. " },
      { type: "response.reasoning_summary_text.delta", summary_index: 0, delta: "Yes." },
      { type: "response.reasoning_summary_text.done", text: "Hm. Yes." },
      { type: "response.reasoning_summary_part.done", part: { text: "Hm. Yes." } },
      { type: "response.output_item.done", item },
    ]);
  },
);

test("returns encrypted thinking on request, and decrypts it in the next request", async () => {
  const include = ["reasoning.encrypted_content"];
  const { buffered, streamed } = await createBoth({ include }, ...thinking, token("Hi"), last());
  for (const response of [buffered, streamed]) {
    const [item] = response?.output ?? [];
    expect(item?.type === "reasoning" && decodeReasoning(item.encrypted_content ?? "")).toBe("Hm. Yes.");
  }
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const [reasoning, message] = buffered.output;
  const input = [
    { role: "user", content: "Hi" },
    // As a client sends it back that does not keep the text.
    { ...reasoning, content: null },
    message,
    { role: "user", content: "Go on." },
  ];
  expect((await gateway.post(route, { model: "m", input })).status).toBe(200);
  expect((await fake.conversation()).body.messages[1]).toMatchObject({
    role: "assistant",
    content: "Hi",
    thinking: "Hm. Yes.",
  });
});

test("returns an empty message if the model only thinks", async () => {
  const { buffered, streamed } = await createBoth({}, ...thinking, last());
  for (const response of [buffered, streamed])
    expect(response?.output).toMatchObject([
      { type: "reasoning" },
      { type: "message", content: [{ text: "" }] },
    ]);
});

const weather = { type: "function", name: "weather", parameters: { type: "object" } };
const patch = { type: "custom", name: "patch", description: "Patches files." };
const crm = { type: "namespace", name: "crm", description: "Customers.", tools: [weather, patch] };

test("describes tools with all fields, and omits those that cannot run", async () => {
  const tools = [weather, patch, crm, { type: "web_search" }];
  const { buffered } = await createBoth({ tools }, token("Hi"), last());
  const described = { ...weather, description: null, strict: null };
  expect(buffered.tools).toEqual([described, patch, { ...crm, tools: [described, patch] }]);
});

test.each([
  ["its input field", { input: "*** Begin" }, "*** Begin"],
  ["a plain string", "*** Begin", "*** Begin"],
  ["the only string, under another name", { patch: "*** Begin" }, "*** Begin"],
  ["any other arguments, as JSON", { a: 1, b: "x" }, '{"a":1,"b":"x"}'],
  ["null", null, '""'],
])("takes the input of a custom tool from %s", async (_name, args, input) => {
  const { buffered, streamed, events } = await createBoth(
    { tools: [patch] },
    toolCall("patch", args),
    last(),
  );
  for (const response of [buffered, streamed])
    expect(response?.output).toMatchObject([{ type: "custom_tool_call", name: "patch", input }]);
  expect(events.slice(2, 6)).toMatchObject([
    { type: "response.output_item.added", item: { status: "in_progress", input: "" } },
    { type: "response.custom_tool_call_input.delta", delta: input },
    { type: "response.custom_tool_call_input.done", input },
    { type: "response.output_item.done", item: { status: "completed", input } },
  ]);
});

test.each([
  ["with the namespace", "crm__weather", { type: "function_call", name: "weather", namespace: "crm" }],
  ["without it", "weather", { type: "function_call", name: "weather", namespace: "crm" }],
  ["of a custom tool", "crm__patch", { type: "custom_tool_call", name: "patch", namespace: "crm" }],
  ["of an unknown tool", "other", { type: "function_call", name: "other" }],
])("returns a call %s under the client's names", async (_name, name, item) => {
  const { buffered, streamed } = await createBoth({ tools: [crm] }, toolCall(name, {}), last());
  for (const response of [buffered, streamed]) expect(response?.output).toMatchObject([item]);
});

test("sends response.created before response.failed if a started stream fails before its first token", async () => {
  const fake = await startFake();
  fake.loaded = [];
  const gateway = await startGateway(fake, { LOADING_COMMENT_MS: "10" });
  const { load, seen } = loadOfTwoComments();
  fake.loadsWith(load, { status: 500, body: '{"error":"no memory"}' });
  const streaming = await gateway.post(route, { model: "m", input: "Hi", stream: true });
  const { data, brokenOff } = await readEvents(streaming, seen);
  expect(brokenOff).toBe(false);
  const events = checkedEvents(data.filter((each) => !each.startsWith(":")));
  expect(events.map(({ type }) => type)).toEqual([
    "response.created",
    "response.in_progress",
    "response.failed",
    "error",
  ]);
});
