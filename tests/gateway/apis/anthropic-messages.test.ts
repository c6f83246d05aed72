import Anthropic, { APIError, BadRequestError, NotFoundError, RateLimitError } from "@anthropic-ai/sdk";
import { describe, expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  metric,
  readEvents,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";

const route = "/v1/messages";
const baseRequest = { model: "m", max_tokens: 9, messages: [{ role: "user" as const, content: "Hi" }] };
const call = (city: string) => ({ function: { name: "weather", arguments: { city } } });
const usage = {
  input_tokens: 11,
  output_tokens: 3,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
};

async function start(environment: Record<string, string> = {}, apiKey = "none") {
  const fake = await startFake();
  const gateway = await startGateway(fake, environment);
  return { fake, gateway, anthropic: new Anthropic({ baseURL: gateway.url, apiKey, maxRetries: 0 }) };
}

async function catchError(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe("POST /v1/messages", () => {
  test("returns a message", async () => {
    const { gateway } = await start();
    const response = await gateway.post(route, baseRequest);
    expect(response.headers.get("request-id")).toBe(response.headers.get("x-request-id"));
    expect(await response.json()).toEqual({
      id: expect.stringMatching(/^msg_/) as string,
      type: "message",
      role: "assistant",
      model: "m",
      content: [{ type: "text", text: "Hello there." }],
      stop_reason: "end_turn",
      stop_sequence: null,
      usage,
    });
  });

  test("returns thinking, text and tool calls as blocks, in this order", async () => {
    const { fake, anthropic } = await start();
    fake.respondWith(
      last({ message: { thinking: "Hm.", content: "Look:", tool_calls: [call("Oslo"), call("Rom")] } }),
    );
    const message = await anthropic.messages.create(baseRequest);
    expect(message.stop_reason).toBe("tool_use");
    expect(message.content).toMatchObject([
      { type: "thinking", thinking: "Hm." },
      { type: "text", text: "Look:" },
      { type: "tool_use", name: "weather", input: { city: "Oslo" } },
      { type: "tool_use", name: "weather", input: { city: "Rom" } },
    ]);
  });

  test("returns the stop reason max_tokens at the token limit", async () => {
    const { fake, anthropic } = await start();
    fake.respondWith(last({ done_reason: "length", eval_count: 9, message: { content: "Hel" } }));
    expect((await anthropic.messages.create(baseRequest)).stop_reason).toBe("max_tokens");
  });

  test("returns the stop reason model_context_window_exceeded at the end of the context", async () => {
    const { fake, anthropic } = await start();
    fake.respondWith(last({ done_reason: "length", eval_count: 8, message: { content: "Hel" } }));
    expect((await anthropic.messages.create(baseRequest)).stop_reason).toBe("model_context_window_exceeded");
  });

  test.each([true, false])(
    "evaluates the prompt and generates nothing with max_tokens 0 (stream: %j)",
    async (stream) => {
      const { anthropic } = await start();
      const request = { ...baseRequest, max_tokens: 0 };
      const message = await (stream
        ? anthropic.messages.stream(request).finalMessage()
        : anthropic.messages.create(request));
      expect(message).toMatchObject({ content: [], stop_reason: "max_tokens" });
      expect(message.usage).toMatchObject({ input_tokens: 11, output_tokens: 0 });
    },
  );

  test("streams the start, the deltas and the stop of each block", async () => {
    const { fake, gateway } = await start();
    fake.respondWith(
      { line: { message: { thinking: "Hm." }, done: false } },
      token("Hel"),
      token("lo"),
      { line: { message: { content: "", tool_calls: [{ id: "call_1", ...call("Oslo") }] }, done: false } },
      last(),
    );
    const { data, brokenOff } = await readEvents(await gateway.post(route, { ...baseRequest, stream: true }));
    expect(brokenOff).toBe(false);
    const events = data.map((event) => /^event: (\w+)\ndata: (.*)$/.exec(event)?.slice(1) ?? []);
    for (const [name, text = ""] of events) expect((JSON.parse(text) as { type: string }).type).toBe(name);
    const block = (index: number, content_block: object) => ({
      type: "content_block_start",
      index,
      content_block,
    });
    const delta = (index: number, content: object) => ({
      type: "content_block_delta",
      index,
      delta: content,
    });
    const stop = (index: number) => ({ type: "content_block_stop", index });
    expect(events.map(([, text = ""]) => JSON.parse(text) as object)).toEqual([
      {
        type: "message_start",
        message: {
          id: expect.stringMatching(/^msg_/) as string,
          type: "message",
          role: "assistant",
          model: "m",
          content: [],
          stop_reason: null,
          stop_sequence: null,
          // Estimated at four bytes per token.
          usage: { ...usage, input_tokens: 1, output_tokens: 0 },
        },
      },
      block(0, { type: "thinking", thinking: "", signature: "" }),
      delta(0, { type: "thinking_delta", thinking: "Hm." }),
      delta(0, { type: "signature_delta", signature: expect.stringMatching(/./) as string }),
      stop(0),
      block(1, { type: "text", text: "" }),
      delta(1, { type: "text_delta", text: "Hel" }),
      delta(1, { type: "text_delta", text: "lo" }),
      stop(1),
      block(2, { type: "tool_use", id: "call_1", name: "weather", input: {} }),
      delta(2, { type: "input_json_delta", partial_json: '{"city":"Oslo"}' }),
      stop(2),
      { type: "message_delta", delta: { stop_reason: "tool_use", stop_sequence: null }, usage },
      { type: "message_stop" },
    ]);
  });

  test("streams a message that the SDK's helper assembles", async () => {
    const { fake, anthropic } = await start();
    fake.respondWith(
      token("Hello"),
      { line: { message: { tool_calls: [call("Oslo")] }, done: false } },
      last(),
    );
    const message = await anthropic.messages.stream(baseRequest).finalMessage();
    expect(message.content).toMatchObject([
      { type: "text", text: "Hello" },
      { type: "tool_use", input: { city: "Oslo" } },
    ]);
    expect(message.usage).toMatchObject({ input_tokens: 11, output_tokens: 3 });
  });
});

describe("errors in Anthropic's format", () => {
  test("returns an error body if the request fails before the response starts", async () => {
    const { fake, gateway, anthropic } = await start();
    fake.respondWith({ status: 404, body: `{"error":"model 'm' not found"}` });
    expect(await catchError(anthropic.messages.create(baseRequest))).toBeInstanceOf(NotFoundError);
    const response = await gateway.post(route, { ...baseRequest, max_tokens: undefined });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      type: "error",
      error: { type: "invalid_request_error", message: "Missing required parameter: 'max_tokens'." },
      request_id: response.headers.get("request-id") ?? response.headers.get("x-request-id"),
    });
  });

  test.each([
    [{ status: 503, body: '{"error":"busy"}' }, 529, "overloaded_error", "5", null],
    [{ status: 500, body: "" }, 502, "api_error", null, "false"],
  ])("maps %j to %d %s", async (step, status, type, retryAfter, shouldRetry) => {
    const { fake, gateway } = await start();
    fake.respondWith(step);
    const response = await gateway.post(route, baseRequest);
    expect(response.status).toBe(status);
    expect(response.headers.get("retry-after")).toBe(retryAfter);
    expect(response.headers.get("x-should-retry")).toBe(shouldRetry);
    expect(await response.json()).toMatchObject({ type: "error", error: { type } });
  });

  test("returns 529 with Retry-After if the queue is full", async () => {
    const { fake, gateway } = await start({ OLLAMA_NUM_PARALLEL: "1", QUEUE_LIMIT: "1" });
    fake.respondWith("hang");
    const clients = new AbortController();
    const { signal } = clients;
    const others = [1, 2].map(() => expect(gateway.post(route, baseRequest, { signal })).rejects.toThrow());
    await metric(gateway.url, "gateway_queue_depth 1");
    const response = await gateway.post(route, baseRequest);
    expect(response.status).toBe(529);
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await response.json()).toMatchObject({ error: { type: "overloaded_error" } });
    clients.abort();
    await Promise.all(others);
  });

  test("returns rate_limit_error with Retry-After if a limit is used up", async () => {
    const { key, line } = newKey("ada", ["requests=1"]);
    const { anthropic } = await start({ API_KEYS: line }, key);
    await anthropic.messages.create(baseRequest);
    const error = await catchError(anthropic.messages.create(baseRequest));
    expect(error).toBeInstanceOf(RateLimitError);
    const { headers, type } = error as RateLimitError;
    expect(type).toBe("rate_limit_error");
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
  });

  test("rejects a thread so that the SDK sends the conversation instead", async () => {
    const { anthropic } = await start();
    const request = { ...baseRequest, thread: { type: "create" } } as typeof baseRequest;
    const error = await catchError(anthropic.messages.create(request));
    expect(error).toBeInstanceOf(Anthropic.ThreadUnsupportedRequestError);
  });

  test("accepts a valid key, and returns authentication_error without one", async () => {
    const { key, line } = newKey("ada", []);
    const { gateway, anthropic } = await start({ API_KEYS: line }, key);
    expect((await anthropic.messages.create(baseRequest)).content).toHaveLength(1);
    const response = await gateway.post(route, baseRequest);
    expect(response.status).toBe(401);
    expect(response.headers.get("request-id")).toBe(response.headers.get("x-request-id"));
    expect(await response.json()).toMatchObject({ error: { type: "authentication_error" } });
  });

  test("sends an error event and breaks the connection if a stream fails", async () => {
    const { fake, gateway, anthropic } = await start();
    fake.respondWith(token("Hel"), { waitMs: 20 }, { line: { error: "runner died" } });
    const { data, brokenOff } = await readEvents(await gateway.post(route, { ...baseRequest, stream: true }));
    expect(data.at(-1)).toBe(
      'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"Ollama: runner died"}}',
    );
    expect(data.join()).not.toContain("message_stop");
    expect(brokenOff).toBe(true);
    expect(await catchError(anthropic.messages.stream(baseRequest).finalMessage())).toBeInstanceOf(APIError);
  });

  test.each([
    [
      { messages: [{ role: "user", content: [{ type: "document", source: {} }] }] },
      "messages[0].content[0].source",
    ],
    [
      {
        messages: [{ role: "user", content: [{ type: "image", source: { type: "url", url: "http://x" } }] }],
      },
      "messages[0].content[0]",
    ],
    [{ messages: [{ role: "user", content: [{ type: "input_audio" }] }] }, "messages[0].content[0]"],
    [{ tools: [{ name: "f", input_schema: 1 }] }, "tools[0].input_schema"],
    [{ tool_choice: { type: "any" } }, "tool_choice"],
    [{ thinking: { type: "sideways" } }, "thinking.type"],
    [{ messages: [{ role: "system", content: [{ type: "image" }] }] }, "messages[0].content[0].type"],
    [{ mcp_servers: [{ type: "url", url: "http://x", name: "x" }] }, "mcp_servers"],
    [{ container: "c" }, "container"],
    [{ compaction: { type: "summarize" } }, "compaction"],
  ])("rejects %j and names %s", async (overrides, param) => {
    const { anthropic } = await start();
    const error = await catchError(
      anthropic.messages.create({ ...baseRequest, ...overrides } as typeof baseRequest),
    );
    expect(error).toBeInstanceOf(BadRequestError);
    expect(String(error)).toContain(param);
  });
});
