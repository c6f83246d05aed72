import { expect, test } from "vitest";
import {
  errorOf,
  hello,
  metric,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";

const nested = (levels: number): string => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;

/** A body of one parameter more, written as text: what is written here JSON.stringify could not write. */
function withMore(body: object, name: string, value: string): string {
  return `${JSON.stringify(body).slice(0, -1)},"${name}":${value}}`;
}

const tool = (parameters: string): string =>
  `[{"type":"function","function":{"name":"f","parameters":${parameters}}}]`;

test.each([
  ["/v1/chat/completions", withMore(hello, "tools", tool(nested(10_000)))],
  ["/v1/chat/completions", "[".repeat(100_000)],
  ["/v1/messages", withMore({ ...hello, max_tokens: 5 }, "metadata", nested(10_000))],
  ["/v1/responses", withMore({ model: "m", input: "Hi" }, "metadata", nested(10_000))],
  ["/api/chat", withMore({ ...hello, stream: false }, "more", nested(10_000))],
  ["/api/embed", withMore({ model: "m", input: "Hi" }, "more", nested(10_000))],
])(
  "a body nested too deeply for POST %s is the client's mistake, not a failure of anybody",
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

test("a body as deep as schemas are is taken", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const body = withMore(hello, "tools", tool(nested(120)));
  expect((await gateway.post("/v1/chat/completions", body)).status).toBe(200);
  expect(JSON.stringify((await fake.conversation()).body.tools)).toContain(nested(120));
});

test("a body of too many values is 413 before they are made", async () => {
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
])("a value beyond the bounds (%#) is refused, naming where it is", async (value, param, why) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const body = `{"model":"m","messages":[{"role":"user","content":${value}}]}`;
  const response = await gateway.post("/v1/chat/completions", body);
  expect(response.status).toBe(400);
  const error = await errorOf(response);
  expect(error).toMatchObject({ code: "invalid_value", param });
  expect(error.message).toContain(why);
  expect(fake.received).toHaveLength(0);
});

test("an unknown parameter with a name of kilobytes makes neither a long message nor a long header", async () => {
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
])("a large body of %s reaches Ollama as it was sent", async (_what, body) => {
  const fake = await startFake();
  fake.loaded = [{ name: "m", context_length: 100_000_000 }];
  const gateway = await startGateway(fake);
  expect((await gateway.post("/api/generate", body)).status).toBe(200);
  expect((await fake.conversation()).text).toBe(JSON.stringify(body));
});

test("what stands in texts is not counted, however they are quoted", async () => {
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

test("arguments that a model nested too deeply stay the text they are", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const call = { id: "1", type: "function", function: { name: "f", arguments: nested(10_000) } };
  const messages = [...hello.messages, { role: "assistant", tool_calls: [call] }];
  expect((await gateway.post("/v1/chat/completions", { ...hello, messages })).status).toBe(200);
  const [, said] = (await fake.conversation()).body.messages;
  expect(said?.tool_calls?.[0]?.function.arguments).toEqual({ value: nested(10_000) });
});

test.each([
  ["/v1/chat/completions", "messages", {}],
  ["/v1/messages", "messages", { max_tokens: 5 }],
  ["/v1/responses", "input", {}],
  ["/v1/example-service", "messages", { stream: false }],
  ["/api/chat", "messages", { stream: false }],
])("POST %s takes 2048 messages, and not one more", async (path, param, more) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const ask = (count: number): Promise<Response> =>
    gateway.post(path, {
      model: "m",
      [param]: Array.from({ length: count }, () => ({ role: "user", content: "Hi" })),
      ...more,
    });
  expect((await ask(2048)).status).toBe(200);
  const refused = await ask(2049);
  expect(refused.status).toBe(400);
  expect(await refused.text()).toContain(`'${param}': Too big: expected array to have <=2048 items`);
  expect(fake.received).toHaveLength(1);
});
