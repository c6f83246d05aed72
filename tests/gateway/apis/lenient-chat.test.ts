import { describe, expect, test } from "vitest";
import { last, type Step, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  errorOf,
  hello,
  metric,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";

const chat = "/v1/chat/completions";

async function start(environment: Record<string, string> = {}) {
  const fake = await startFake();
  return { fake, gateway: await startGateway(fake, environment) };
}

/** Sends a chat request with further fields. Returns the body that Ollama received, and the response. */
async function send(overrides: object) {
  const { fake, gateway } = await start();
  const response = await gateway.post(chat, { ...hello, ...overrides });
  expect(response.status, await response.clone().text()).toBe(200);
  await response.text();
  return { body: fake.received[0]?.body as unknown as Record<string, unknown>, response, gateway };
}

describe("ignored parameters", () => {
  test.each([
    [{ colour: "red" }, "colour"],
    [{ verbosity: "high" }, "verbosity"],
    [{ web_search_options: {} }, "web_search_options"],
    [{ prompt_cache_key: "k", safety_identifier: "s" }, "prompt_cache_key, safety_identifier"],
    [{ stream_options: { usage: true } }, "stream_options.usage"],
    [{ tools: [{ type: "web_search" }, { type: "custom", custom: { name: "f" } }] }, "tools[0], tools[1]"],
  ])("drops %j and lists it in x-ignored-parameters", async (overrides, names) => {
    const plain = await send({});
    const { body, response } = await send(overrides);
    expect(body).toEqual(plain.body);
    expect(response.headers.get("x-ignored-parameters")).toBe(names);
    expect(plain.response.headers.has("x-ignored-parameters")).toBe(false);
  });

  test("counts them by route, and logs them at the level debug", async () => {
    const { gateway } = await start({ LOG_LEVEL: "debug" });
    await (await gateway.post(chat, { ...hello, colour: "red", taste: "sour" })).text();
    await metric(gateway.url, `gateway_ignored_parameters_total{route="${chat}"} 2`);
    expect(gateway.log.join("")).toContain('"parameters":["colour","taste"],"msg":"ignored parameters"');
  });

  test("lists them in the headers of a stream", async () => {
    const { gateway } = await start();
    const response = await gateway.post(chat, { ...hello, stream: true, colour: "red" });
    expect(response.headers.get("x-ignored-parameters")).toBe("colour");
    expect(await response.text()).toContain("[DONE]");
  });

  test("encodes and truncates the header for a thousand of them", async () => {
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`unknown_${n}\u00e4\n`, n]));
    const { response } = await send(many);
    const header = response.headers.get("x-ignored-parameters") ?? "";
    expect(header).toMatch(/^unknown_0%C3%A4%0A, unknown_1%C3%A4%0A, .*, \.\.\.$/);
    expect(header.length).toBeLessThan(1100);
  });
});

test("treats null as absent at every depth", async () => {
  const names = [
    ...["temperature", "top_p", "seed", "stop", "max_tokens", "tools", "tool_choice", "response_format", "n"],
    ...["logit_bias", "functions", "function_call", "user", "metadata", "stream_options", "options"],
  ];
  const nulls = Object.fromEntries(names.map((name) => [name, null]));
  const plain = await send({});
  expect((await send(nulls)).body).toEqual(plain.body);

  const messages = [
    { role: "user", content: "Hi", name: null },
    {
      ...{ role: "assistant", content: "Yes", refusal: null, audio: null, function_call: null },
      ...{ tool_calls: null, annotations: null, reasoning_content: null, name: null },
    },
    { role: "user", content: [{ type: "text", text: "Go on", cache_control: null }] },
  ];
  const tools = [
    { type: "function", function: { name: "f", description: null, parameters: null, strict: null } },
  ];
  const { body } = await send({ messages, tools });
  expect(body["messages"]).toEqual([
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Yes" },
    { role: "user", content: "Go on" },
  ]);
  expect(body["tools"]).toEqual([{ type: "function", function: { name: "f" } }]);
});

test.each([[""], [[""]], [["", ""]]])("ignores empty stop sequences: %j", async (stop) => {
  const { body } = await send({ stop });
  expect(body["options"]).toEqual({});
});

describe("earlier messages that a client sends back", () => {
  test.each<[string, object, object]>([
    [
      "reasoning under another name",
      { role: "assistant", content: "4", reasoning: "2 and 2", reasoning_details: [{ text: "2 and 2" }] },
      { role: "assistant", content: "4", thinking: "2 and 2" },
    ],
    [
      "fields of other servers",
      {
        ...{ role: "assistant", content: "4", provider_specific_fields: { x: 1 }, id: "m1", usage: {} },
        ...{ annotations: [{}], logprobs: {}, citations: [], images: [] },
      },
      { role: "assistant", content: "4" },
    ],
    [
      "parts with additional fields, and parts of another API",
      {
        role: "assistant",
        content: [
          { type: "text", text: "4", annotations: [], role: "assistant", id: "p" },
          { type: "thinking", thinking: "2 and 2", signature: "s" },
          { type: "refusal", refusal: "no" },
        ],
      },
      { role: "assistant", content: "4\nno" },
    ],
    [
      "a call whose arguments are an object, without a type",
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "c", function: { name: "f", arguments: { a: 1 } } }],
      },
      {
        role: "assistant",
        content: "",
        tool_calls: [{ id: "c", function: { name: "f", arguments: { a: 1 } } }],
      },
    ],
    [
      "a call of a custom tool",
      { role: "assistant", tool_calls: [{ id: "c", type: "custom", custom: { name: "f", input: "x" } }] },
      {
        role: "assistant",
        content: "",
        tool_calls: [{ id: "c", function: { name: "f", arguments: { input: "x" } } }],
      },
    ],
    [
      "a call in the legacy format",
      { role: "assistant", content: null, function_call: { name: "f", arguments: "{}" } },
      { role: "assistant", content: "", tool_calls: [{ function: { name: "f", arguments: {} } }] },
    ],
    [
      "a result in the legacy format",
      { role: "function", name: "f", content: "5" },
      { role: "tool", content: "5", tool_name: "f" },
    ],
    [
      "a tool result without an ID",
      { role: "tool", name: "f", content: "5" },
      { role: "tool", content: "5", tool_name: "f" },
    ],
  ])("accepts %s", async (_name, message, expected) => {
    const { body } = await send({ messages: [{ role: "user", content: "Hi" }, message] });
    expect((body["messages"] as unknown[])[1]).toEqual(expected);
  });
});

describe("reasoning_effort is a preference", () => {
  const errorResponse = (text: string): Step[] => [{ status: 400, body: JSON.stringify({ error: text }) }];

  test.each(["minimal", "low", "medium", "high", "xhigh", "max"])(
    "does not send think to a model that cannot think: %s",
    async (effort) => {
      const { fake, gateway } = await start();
      fake.respondTo(({ think }) => (think ? errorResponse('"m" does not support thinking') : undefined));
      const response = await gateway.post(chat, { ...hello, reasoning_effort: effort });
      expect(response.status).toBe(200);
      expect(response.headers.get("x-ignored-parameters")).toBe("reasoning_effort");
      expect(fake.received.at(-1)?.body).not.toHaveProperty("think");
    },
  );

  test("falls back to the model's own effort if it does not support the requested one", async () => {
    const { fake, gateway } = await start();
    fake.respondTo(({ think }) =>
      think === "high" ? errorResponse('think value "high" is not supported for this model') : undefined,
    );
    const response = await gateway.post(chat, { ...hello, reasoning_effort: "high", stream: true });
    expect(response.headers.get("x-ignored-parameters")).toBe("reasoning_effort");
    await response.text();
    expect(fake.received.map(({ body }) => (body as { think?: unknown }).think)).toEqual(["high", true]);
  });

  test("rejects an unsupported effort with strict parameters", async () => {
    const { fake, gateway } = await start({ STRICT_PARAMETERS: "on" });
    fake.respondTo(() => errorResponse('"m" does not support thinking'));
    const response = await gateway.post(chat, { ...hello, reasoning_effort: "high" });
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toMatchObject({
      code: "unsupported_parameter",
      param: "reasoning_effort",
    });
  });
});

test("returns thinking under both names that clients read", async () => {
  const { fake, gateway } = await start();
  fake.respondWith(
    { line: { message: { role: "assistant", content: "", thinking: "2 and 2" } } },
    token("4"),
    last(),
  );
  const buffered = (await (await gateway.post(chat, hello)).json()) as { choices: { message: object }[] };
  expect(buffered.choices[0]?.message).toMatchObject({ reasoning: "2 and 2", reasoning_content: "2 and 2" });
  const text = await (await gateway.post(chat, { ...hello, stream: true })).text();
  expect(text).toContain('{"reasoning_content":"2 and 2","reasoning":"2 and 2"}');
});
