import Anthropic, { APIError, BadRequestError, NotFoundError } from "@anthropic-ai/sdk";
import { describe, expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { last, token } from "../../../test-support/fake-ollama.ts";
import { readEvents, startFake, startGateway } from "../../../test-support/gateway-harness.ts";

const route = "/v1/messages";
const asked = { model: "m", max_tokens: 9, messages: [{ role: "user" as const, content: "Hi" }] };
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

async function thrownBy(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
}

describe("POST /v1/messages", () => {
  test("a whole answer is a message", async () => {
    const { gateway } = await start();
    const response = await gateway.post(route, asked);
    expect(response.headers.get("request-id")).toBe(response.headers.get("x-request-id"));
    expect(await response.json()).toEqual({
      id: expect.stringMatching(/^msg_/) as string,
      type: "message",
      role: "assistant",
      model: "m",
      content: [{ type: "text", text: "Hello there.", citations: null }],
      stop_reason: "end_turn",
      stop_sequence: null,
      usage,
    });
  });

  test("thinking, text and calls are blocks, in this order", async () => {
    const { fake, anthropic } = await start();
    fake.answers(
      last({ message: { thinking: "Hm.", content: "Look:", tool_calls: [call("Oslo"), call("Rom")] } }),
    );
    const answer = await anthropic.messages.create(asked);
    expect(answer.stop_reason).toBe("tool_use");
    expect(answer.content).toMatchObject([
      { type: "thinking", thinking: "Hm." },
      { type: "text", text: "Look:" },
      { type: "tool_use", name: "weather", input: { city: "Oslo" } },
      { type: "tool_use", name: "weather", input: { city: "Rom" } },
    ]);
  });

  test("an answer cut by its limit says so", async () => {
    const { fake, anthropic } = await start();
    fake.answers(last({ done_reason: "length", message: { content: "Hel" } }));
    expect((await anthropic.messages.create(asked)).stop_reason).toBe("max_tokens");
  });

  test("a stream begins and ends each block, event by event", async () => {
    const { fake, gateway } = await start();
    fake.answers(
      { line: { message: { thinking: "Hm." }, done: false } },
      token("Hel"),
      token("lo"),
      { line: { message: { content: "", tool_calls: [{ id: "call_1", ...call("Oslo") }] }, done: false } },
      last(),
    );
    const { data, brokenOff } = await readEvents(await gateway.post(route, { ...asked, stream: true }));
    expect(brokenOff).toBe(false);
    const events = data.map((event) => /^event: (\w+)\ndata: (.*)$/.exec(event)?.slice(1) ?? []);
    for (const [name, text = ""] of events) expect((JSON.parse(text) as { type: string }).type).toBe(name);
    const block = (index: number, content_block: object) => ({
      type: "content_block_start",
      index,
      content_block,
    });
    const delta = (index: number, of: object) => ({ type: "content_block_delta", index, delta: of });
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
          usage: { ...usage, input_tokens: 0, output_tokens: 0 },
        },
      },
      block(0, { type: "thinking", thinking: "", signature: "" }),
      delta(0, { type: "thinking_delta", thinking: "Hm." }),
      stop(0),
      block(1, { type: "text", text: "", citations: null }),
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

  test("the client's streaming helper puts the answer together", async () => {
    const { fake, anthropic } = await start();
    fake.answers(token("Hello"), { line: { message: { tool_calls: [call("Oslo")] }, done: false } }, last());
    const answer = await anthropic.messages.stream(asked).finalMessage();
    expect(answer.content).toMatchObject([
      { type: "text", text: "Hello" },
      { type: "tool_use", input: { city: "Oslo" } },
    ]);
    expect(answer.usage).toMatchObject({ input_tokens: 11, output_tokens: 3 });
  });
});

describe("errors have Anthropic's form", () => {
  test("before the answer begins", async () => {
    const { fake, gateway, anthropic } = await start();
    fake.answers({ status: 404, body: `{"error":"model 'm' not found"}` });
    expect(await thrownBy(anthropic.messages.create(asked))).toBeInstanceOf(NotFoundError);
    const response = await gateway.post(route, { ...asked, max_tokens: undefined });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      type: "error",
      error: { type: "invalid_request_error", message: "Missing required parameter: 'max_tokens'." },
      request_id: response.headers.get("request-id") ?? response.headers.get("x-request-id"),
    });
  });

  test.each([
    [{ status: 503, body: '{"error":"busy"}' }, 503, "overloaded_error"],
    [{ status: 500, body: "" }, 502, "api_error"],
  ])("%j is %d %s", async (step, status, type) => {
    const { fake, gateway } = await start();
    fake.answers(step);
    const response = await gateway.post(route, asked);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ type: "error", error: { type } });
  });

  test("a wrong key is an authentication_error, the right one works", async () => {
    const { key, line } = newKey("ada", []);
    const { gateway, anthropic } = await start({ API_KEYS: line }, key);
    expect((await anthropic.messages.create(asked)).content).toHaveLength(1);
    const response = await gateway.post(route, asked);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ error: { type: "authentication_error" } });
  });

  test("in the middle of a stream: an error event, and the connection breaks off", async () => {
    const { fake, gateway, anthropic } = await start();
    fake.answers(token("Hel"), { waitMs: 20 }, { line: { error: "runner died" } });
    const { data, brokenOff } = await readEvents(await gateway.post(route, { ...asked, stream: true }));
    expect(data.at(-1)).toBe(
      'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"Ollama: runner died"}}',
    );
    expect(data.join()).not.toContain("message_stop");
    expect(brokenOff).toBe(true);
    expect(await thrownBy(anthropic.messages.stream(asked).finalMessage())).toBeInstanceOf(APIError);
  });

  test.each([
    [
      { messages: [{ role: "user", content: [{ type: "document", source: {} }] }] },
      "messages[0].content[0].type",
    ],
    [
      {
        messages: [{ role: "user", content: [{ type: "image", source: { type: "url", url: "http://x" } }] }],
      },
      "source",
    ],
    [{ tools: [{ type: "web_search_20250305", name: "web_search" }] }, "tools[0]"],
    [{ tool_choice: { type: "any" } }, "tool_choice"],
    [{ output_config: { effort: "high" } }, "output_config.effort"],
    [{ thinking: { type: "between_tools" } }, "thinking.type"],
    [{ messages: [{ role: "system", content: [{ type: "image" }] }] }, "messages[0].content[0].type"],
    [{ mcp_servers: [{}] }, "mcp_servers"],
    [{ container: "c" }, "container"],
  ])("%j is refused, naming %s", async (over, param) => {
    const { anthropic } = await start();
    const error = await thrownBy(anthropic.messages.create({ ...asked, ...over } as typeof asked));
    expect(error).toBeInstanceOf(BadRequestError);
    expect(String(error)).toContain(param);
  });
});
