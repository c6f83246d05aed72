import { APIError, BadRequestError } from "openai";
import { describe, expect, test } from "vitest";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import { checkedEvents, checkedResponse } from "../../../test-support/apis/openresponses.ts";
import {
  errorOf,
  readEvents,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";

const route = "/v1/responses";
const baseRequest = { model: "m", input: "Hi" };
const call = { id: "call_1", function: { name: "weather", arguments: { city: "Oslo" } } };
const usage = {
  input_tokens: 11,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 3,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 14,
};
const anyId = (prefix: string) => expect.stringMatching(new RegExp(`^${prefix}_`)) as string;

async function start() {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  return { fake, gateway, responses: gateway.openai.responses };
}

describe("POST /v1/responses", () => {
  test("returns the parameters and the output", async () => {
    const { gateway } = await start();
    const response = await gateway.post(route, { ...baseRequest, instructions: "Be brief.", store: true });
    const json: unknown = await response.json();
    checkedResponse(json);
    expect(json).toMatchObject({
      id: anyId("resp"),
      object: "response",
      status: "completed",
      error: null,
      incomplete_details: null,
      instructions: "Be brief.",
      model: "m",
      output: [
        {
          id: anyId("msg"),
          type: "message",
          status: "completed",
          role: "assistant",
          content: [{ type: "output_text", annotations: [], logprobs: [], text: "Hello there." }],
        },
      ],
      previous_response_id: null,
      store: true,
      usage,
    });
  });

  test("returns thinking, text and calls as items that the SDK's helpers read", async () => {
    const { fake, responses } = await start();
    fake.respondWith(last({ message: { thinking: "Hm.", content: '{"a":1}', tool_calls: [call] } }));
    const response = await responses.parse({
      ...baseRequest,
      text: { format: { type: "json_schema", name: "n", schema: { type: "object" }, strict: true } },
    });
    expect(response.output_text).toBe('{"a":1}');
    expect(response.output_parsed).toEqual({ a: 1 });
    expect(response.output).toMatchObject([
      { type: "reasoning", content: [{ type: "reasoning_text", text: "Hm." }] },
      { type: "message" },
      { type: "function_call", call_id: "call_1", name: "weather", arguments: '{"city":"Oslo"}' },
    ]);
  });

  test("returns an incomplete response at the token limit", async () => {
    const { fake, responses } = await start();
    fake.respondWith(last({ done_reason: "length", message: { content: "Hel" } }));
    expect(await responses.create(baseRequest)).toMatchObject({
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
      output: [{ status: "incomplete" }],
    });
  });

  test("streams the start, the deltas and the end of each item and part", async () => {
    const { fake, gateway } = await start();
    const logprobs = [{ token: "lo", logprob: -0.5, bytes: [108, 111], top_logprobs: [] }];
    fake.respondWith(
      { line: { message: { thinking: "Hm." }, done: false } },
      token("Hel"),
      { line: { message: { content: "lo" }, logprobs, done: false } },
      { line: { message: { content: "", tool_calls: [call] }, done: false } },
      last(),
    );
    const { data, brokenOff } = await readEvents(await gateway.post(route, { ...baseRequest, stream: true }));
    expect(brokenOff).toBe(false);
    const events = checkedEvents(data);
    const part = (text: string, logprobs: object[]) => ({
      type: "output_text",
      annotations: [],
      logprobs,
      text,
    });
    const reasoningPart = { type: "reasoning_text", text: "Hm." };
    const at = (output_index: number) => ({ output_index });
    expect(events).toMatchObject([
      { type: "response.created", response: { status: "in_progress", output: [], usage: null } },
      { type: "response.in_progress" },
      {
        type: "response.output_item.added",
        ...at(0),
        item: { type: "reasoning", id: anyId("rs"), content: [] },
      },
      { type: "response.content_part.added", ...at(0), part: { type: "reasoning_text", text: "" } },
      { type: "response.reasoning_text.delta", ...at(0), content_index: 0, delta: "Hm." },
      { type: "response.reasoning_text.done", ...at(0), text: "Hm." },
      { type: "response.content_part.done", ...at(0), part: reasoningPart },
      {
        type: "response.output_item.done",
        ...at(0),
        item: { content: [reasoningPart], status: "completed" },
      },
      { type: "response.output_item.added", ...at(1), item: { type: "message", content: [] } },
      { type: "response.content_part.added", ...at(1), part: part("", []) },
      { type: "response.output_text.delta", ...at(1), delta: "Hel", logprobs: [] },
      { type: "response.output_text.delta", ...at(1), delta: "lo", logprobs },
      { type: "response.output_text.done", ...at(1), text: "Hello", logprobs },
      { type: "response.content_part.done", ...at(1), part: part("Hello", logprobs) },
      { type: "response.output_item.done", ...at(1), item: { content: [part("Hello", logprobs)] } },
      { type: "response.output_item.added", ...at(2), item: { type: "function_call", arguments: "" } },
      { type: "response.function_call_arguments.delta", ...at(2), delta: '{"city":"Oslo"}' },
      { type: "response.function_call_arguments.done", ...at(2), arguments: '{"city":"Oslo"}' },
      { type: "response.output_item.done", ...at(2), item: { call_id: "call_1", status: "completed" } },
      {
        type: "response.completed",
        response: {
          status: "completed",
          output: [{ type: "reasoning" }, { type: "message" }, { type: "function_call" }],
          usage,
        },
      },
    ]);
  });

  test("streams a response that the SDK's helper assembles and whose items can be sent back", async () => {
    const { fake, responses } = await start();
    const tools = [{ type: "function" as const, name: "weather", parameters: {}, strict: true }];
    fake.respondWith(token("Look:"), { line: { message: { tool_calls: [call] }, done: false } }, last());
    const response = await responses.stream({ ...baseRequest, tools }).finalResponse();
    expect(response.output_text).toBe("Look:");
    const output = { type: "function_call_output" as const, call_id: "call_1", output: "rain" };
    fake.respondWith(last({ message: { content: "It rains." } }));
    const input = [{ role: "user" as const, content: "Hi" }, ...response.output, output];
    const next = await responses.create({ model: "m", tools, input } as Parameters<
      typeof responses.create
    >[0]);
    expect(next).toMatchObject({ output_text: "It rains." });
    expect((await fake.conversation(1)).body.messages).toMatchObject([
      { role: "user" },
      { role: "assistant", content: "Look:", tool_calls: [call] },
      { role: "tool", content: "rain", tool_name: "weather" },
    ]);
  });

  test("returns an empty message for an empty response", async () => {
    const { fake, responses } = await start();
    fake.respondWith(last());
    const response = await responses.stream(baseRequest).finalResponse();
    expect(response.output).toMatchObject([{ type: "message", content: [{ text: "" }] }]);
  });

  test("sends response.failed and an error event if a stream fails, and ends the body cleanly", async () => {
    const { fake, gateway, responses } = await start();
    fake.respondWith(token("Hel"), { waitMs: 20 }, { line: { error: "runner died" } });
    const { data, brokenOff } = await readEvents(await gateway.post(route, { ...baseRequest, stream: true }));
    expect(checkedEvents(data).at(-2)).toMatchObject({
      type: "response.failed",
      response: { status: "failed", store: false, error: { code: "upstream_failed" } },
    });
    expect(data.at(-1)).toMatch(/^event: error\ndata: .*"code":"upstream_failed"/);
    expect(data.join()).not.toMatch(/response\.(completed|incomplete)/);
    // Codex and others would report the broken connection instead of the reason.
    expect(brokenOff).toBe(false);
    const reading = (async () => {
      for await (const event of await responses.create({ ...baseRequest, stream: true }))
        expect(event).toBeDefined();
    })();
    await expect(reading).rejects.toThrow(APIError);
    await expect(reading).rejects.toThrow("runner died");
  });

  test.each([
    [{ conversation: "conv_1" }, "conversation"],
    [{ background: true }, "background"],
    [{ prompt: { id: "pmpt_1" } }, "prompt"],
    [{ input: [{ role: "user", content: [{ type: "input_file" }] }] }, "input[0].content[0].type"],
    [{ moderation: { model: "omni-moderation-latest" } }, "moderation"],
    [{ context_management: [{ type: "compaction" }] }, "context_management"],
    [{ access_programs: { cyber: "daybreak_red" } }, "access_programs"],
    [{ image: { context_compression: "enabled" } }, "image"],
    [{ tool_choice: { type: "file_search" } }, "tool_choice.type"],
    [{ tools: [{ type: "web_search" }], tool_choice: "required" }, "tool_choice"],
    [{ tools: [{ type: "mcp" }], tool_choice: { type: "mcp", server_label: "x" } }, "tool_choice.type"],
  ])("rejects %j as unsupported and names %s", async (overrides, param) => {
    const { responses } = await start();
    const body = { ...baseRequest, ...overrides } as typeof baseRequest;
    const error: unknown = await responses.create(body).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ code: "unsupported_parameter", param });
  });

  test.each([
    [{ text: { verbosity: "low" } }, "text.verbosity"],
    [{ reasoning: { mode: "pro" } }, "reasoning.mode"],
    [{ reasoning: { context: "all_turns" } }, "reasoning.context"],
    [{ tools: [{ type: "web_search", external_web_access: false }] }, "tools[0]"],
    [{ tools: [{ type: "function", name: "f", async: true }] }, "tools[].async"],
    [
      { tools: [{ type: "function", name: "f", allowed_callers: ["programmatic"] }] },
      "tools[].allowed_callers",
    ],
  ])("ignores and lists %j, and rejects it with strict parameters", async (overrides, name) => {
    const { fake, gateway } = await start();
    const response = await gateway.post(route, { ...baseRequest, ...overrides });
    expect(response.status).toBe(200);
    expect(response.headers.get("x-ignored-parameters")).toBe(name);
    const strict = await startGateway(fake, { STRICT_PARAMETERS: "on" });
    const rejected = await strict.post(route, { ...baseRequest, ...overrides });
    expect(rejected.status).toBe(400);
    expect(await errorOf(rejected)).toMatchObject({ code: "unsupported_parameter" });
  });

  test.each([
    { client_metadata: { session: "s" } },
    { service_tier: "auto" },
    { prompt_cache_options: { prewarm: true } },
    { include: ["file_search_call.results"] },
    { stream_options: null, tools: null, text: null, reasoning: null, tool_choice: null },
    { tools: [{ type: "function", name: "f", defer_loading: true, parameters: null, description: null }] },
  ])("accepts %j even with strict parameters", async (overrides) => {
    const fake = await startFake();
    const gateway = await startGateway(fake, { STRICT_PARAMETERS: "on" });
    expect((await gateway.post(route, { ...baseRequest, ...overrides })).status).toBe(200);
  });

  test("ignores and lists a parameter of the Chat Completions API", async () => {
    const { gateway } = await start();
    const response = await gateway.post(route, { ...baseRequest, max_tokens: 5 });
    expect(response.status).toBe(200);
    expect(response.headers.get("x-ignored-parameters")).toBe("max_tokens");
  });
});

describe("what a response repeats of its request has at most 1 Mi characters", () => {
  const long = "a".repeat(1024 * 1024);

  test.each([
    ["metadata", { metadata: { a: long } }],
    ["metadata", { metadata: { b: { [long.slice(0, 10_000)]: [long] } } }],
    ["user", { user: long }],
    ["safety_identifier", { safety_identifier: long }],
    ["prompt_cache_key", { prompt_cache_key: long }],
    ["tools", { tools: [{ type: "namespace", name: "n", description: long, tools: [] }] }],
    ["text", { text: { format: { type: "json_schema", name: "n", description: long, schema: {} } } }],
  ])("rejects more in %s", async (param, body) => {
    const { fake, gateway } = await start();
    for (const stream of [false, true]) {
      const response = await gateway.post(route, { ...baseRequest, ...body, stream });
      expect(response.status).toBe(400);
      expect(await errorOf(response)).toMatchObject({ code: "invalid_value", param });
    }
    expect(fake.received).toHaveLength(0);
  });

  test("repeats less", async () => {
    const { responses } = await start();
    const metadata = { a: long.slice(0, 1_000_000) };
    expect(await responses.create({ ...baseRequest, metadata })).toMatchObject({ metadata });
  });
});
