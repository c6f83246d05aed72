import { expect, test } from "vitest";
import {
  errorOf,
  hello,
  metric,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";

const nested = (levels: number): string => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;

/** A body with one more parameter, given as JSON text that JSON.stringify could not produce. */
function withParameter(body: object, name: string, value: string): string {
  return `${JSON.stringify(body).slice(0, -1)},"${name}":${value}}`;
}

const tool = (parameters: string): string =>
  `[{"type":"function","function":{"name":"f","parameters":${parameters}}}]`;

test.each([
  ["/v1/chat/completions", withParameter(hello, "tools", tool(nested(10_000)))],
  ["/v1/chat/completions", "[".repeat(100_000)],
  ["/v1/messages", withParameter({ ...hello, max_tokens: 5 }, "metadata", nested(10_000))],
  ["/v1/responses", withParameter({ model: "m", input: "Hi" }, "metadata", nested(10_000))],
  ["/api/chat", withParameter({ ...hello, stream: false }, "more", nested(10_000))],
  ["/api/embed", withParameter({ model: "m", input: "Hi" }, "more", nested(10_000))],
])(
  "POST %s rejects a body nested too deeply with 400, without counting a backend failure",
  async (path, body) => {
    const fake = await startFake();
    const gateway = await startGateway(fake, { BREAKER_FAILURES: "1" });
    for (let n = 0; n < 3; n += 1) {
      const response = await gateway.post(path, body);
      expect(response.status).toBe(400);
      expect(await response.text()).toContain("nested more than 128 levels deep");
    }
    await metric(gateway.url, `gateway_backend_breaker_open{backend="127.0.0.1:${fake.port}"} 0`);
    expect(fake.received).toHaveLength(0);
    expect((await gateway.post("/v1/chat/completions", hello)).status).toBe(200);
  },
);

test("accepts a body as deep as tool schemas may be", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const body = withParameter(hello, "tools", tool(nested(120)));
  expect((await gateway.post("/v1/chat/completions", body)).status).toBe(200);
  expect(JSON.stringify((await fake.conversation()).body.tools)).toContain(nested(120));
});

test("rejects a body of too many values with 413", async () => {
  const gateway = await startGateway(await startFake());
  const lists = Array.from({ length: 20 }, () => `[${"{},".repeat(50_000)}{}]`);
  const response = await gateway.post("/v1/chat/completions", `[${lists.join()}]`);
  expect(response.status).toBe(413);
  expect(await errorOf(response)).toMatchObject({
    code: "body_too_large",
    message: expect.stringContaining("100000 values, up to '[1][") as string,
  });
});

test.each([
  [`[${"0,".repeat(600_000)}0]`, "messages[0].content", "more than 65536 elements"],
  [`{${'"a":0,'.repeat(600_000)}"a":0}`, "messages[0].content", "more than 16384 keys"],
  [`[{"${"k".repeat(300_000)}":0}]`, "messages[0].content[0]", "longer than 16384 bytes"],
  ["1".repeat(3_000_000), "messages[0].content", "more than 64 characters"],
  ["0.123e999", "messages[0].content", "larger than a double can hold"],
  ['[{"a":{"__proto__":{}}}]', "messages[0].content[0].a.__proto__", "reserved"],
  ['[{"\\u005f_proto__":{}}]', "messages[0].content[0].__proto__", "reserved"],
])("rejects a value over a limit and names its position (%#)", async (value, param, reason) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const body = `{"model":"m","messages":[{"role":"user","content":${value}}]}`;
  const response = await gateway.post("/v1/chat/completions", body);
  expect(response.status).toBe(400);
  const error = await errorOf(response);
  expect(error).toMatchObject({ code: "invalid_value", param });
  expect(error.message).toContain(reason);
  expect(fake.received).toHaveLength(0);
});

test("an unknown parameter with a very long name yields a short message and a short header", async () => {
  const body = { ...hello, ["k".repeat(10_000)]: 1 };
  const strict = await startGateway(await startFake(), { STRICT_PARAMETERS: "on" });
  const error = await errorOf(await strict.post("/v1/chat/completions", body));
  expect(error.code).toBe("unknown_parameter");
  expect(error.message.length).toBeLessThan(300);
  const lenient = await startGateway(await startFake());
  const { status, headers } = await lenient.post("/v1/chat/completions", body);
  expect([status, headers.get("x-ignored-parameters")]).toEqual([200, "..."]);
});

test.each([
  ["a text", { model: "m", stream: false, prompt: 'x"\\\n漢😀'.repeat(300_000) }],
  [
    "many values",
    { model: "m", stream: false, prompt: "x", values: Array.from({ length: 30_000 }, (_, n) => [n / 7]) },
  ],
  [
    "objects",
    {
      model: "m",
      stream: false,
      prompt: "x",
      more: Array.from({ length: 20_000 }, (_, n) => ({ n, a: [{}] })),
    },
  ],
])("forwards a large body of %s to Ollama unchanged", async (_content, body) => {
  const fake = await startFake();
  fake.loaded = [{ name: "m", context_length: 100_000_000 }];
  const gateway = await startGateway(fake);
  expect((await gateway.post("/api/generate", body)).status).toBe(200);
  expect((await fake.conversation()).text).toBe(JSON.stringify(body));
});

test("ignores brackets and commas within strings, however they are escaped", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  for (const content of [
    "[".repeat(1_000),
    '{"a":['.repeat(1_000),
    "\\".repeat(999),
    '\\"[,'.repeat(1_000),
  ]) {
    const body = {
      ...hello,
      messages: [
        { role: "user", content },
        { role: "user", content: "," },
      ],
    };
    expect((await gateway.post("/v1/chat/completions", body)).status).toBe(200);
    expect(fake.received.at(-1)?.body.messages[0]?.content).toBe(content);
  }
});

test("keeps tool call arguments that are nested too deeply as text", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const call = { id: "1", type: "function", function: { name: "f", arguments: nested(10_000) } };
  const messages = [...hello.messages, { role: "assistant", tool_calls: [call] }];
  expect((await gateway.post("/v1/chat/completions", { ...hello, messages })).status).toBe(200);
  const [, assistantMessage] = (await fake.conversation()).body.messages;
  expect(assistantMessage?.tool_calls?.[0]?.function.arguments).toEqual({ value: nested(10_000) });
});

test.each([
  ["/v1/chat/completions", "messages", {}],
  ["/v1/messages", "messages", { max_tokens: 5 }],
  ["/v1/responses", "input", {}],
  ["/v1/example-service", "messages", { stream: false }],
  ["/api/chat", "messages", { stream: false }],
])("POST %s accepts 2048 messages, but not 2049", async (path, param, more) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const postMessages = (count: number): Promise<Response> =>
    gateway.post(path, {
      model: "m",
      [param]: Array.from({ length: count }, () => ({ role: "user", content: "Hi" })),
      ...more,
    });
  expect((await postMessages(2048)).status).toBe(200);
  const refused = await postMessages(2049);
  expect(refused.status).toBe(400);
  expect(await refused.text()).toContain(`'${param}': Too big: expected array to have <=2048 items`);
  expect(fake.received).toHaveLength(1);
});
