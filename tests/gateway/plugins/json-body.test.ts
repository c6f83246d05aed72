import { expect, test } from "vitest";
import { errorOf, hello, metric, startFake, startGateway } from "../../../test-support/gateway-harness.ts";

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
  for (const many of [`[${"{},".repeat(600_000)}{}]`, `{${'"a":0,'.repeat(600_000)}"a":0}`]) {
    const response = await gateway.post("/v1/chat/completions", many);
    expect(response.status).toBe(413);
    expect(await errorOf(response)).toMatchObject({
      code: "body_too_large",
      message: expect.stringContaining("500000 values") as string,
    });
  }
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
