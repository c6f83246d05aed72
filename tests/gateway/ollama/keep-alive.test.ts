import { expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { keepAliveMs } from "../../../gateway/src/ollama/keep-alive.ts";
import { hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

test.each([
  ["/v1/chat/completions", hello],
  ["/v1/completions", { model: "m", prompt: "Hi" }],
  ["/v1/embeddings", { model: "m", input: "Hi" }],
  ["/v1/responses", { model: "m", input: "Hi" }],
  ["/v1/messages", { ...hello, max_tokens: 9 }],
  ["/v1/example-service", { messages: "Hi" }],
  ["/api/chat", hello],
  ["/api/generate", { model: "m", prompt: "Hi" }],
  ["/api/embed", { model: "m", input: "Hi" }],
])("a request's keep_alive reaches Ollama unchanged: %s", async (path, body) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  for (const [n, keepAlive] of ["7m", 300, 0, -1].entries()) {
    const response = await gateway.post(path, { ...body, keep_alive: keepAlive });
    expect(response.status).toBe(200);
    await response.text();
    expect((await fake.conversation(n)).body.keep_alive).toBe(keepAlive);
  }
});

test.each([
  [300, 300_000],
  [-1, Infinity],
  ["0", 0],
  ["1h30m", 5_400_000],
  ["1.5h", 5_400_000],
  [".5s", 500],
  ["2.s", 2000],
  ["+7m", 420_000],
  ["-1s", Infinity],
  ["100\u00b5s", 0.1],
  ["", undefined],
  ["7", undefined],
  ["1x", undefined],
  [".s", undefined],
  ["1..5s", undefined],
  [undefined, undefined],
])("%j is %s milliseconds", (keepAlive, milliseconds) => {
  expect(keepAliveMs(keepAlive)).toBe(milliseconds);
});

// An ambiguous pattern would take hours for these.
test.each([["1".repeat(1_000_000)], ["1.".repeat(500_000)], [`${"1s".repeat(500_000)}1`]])(
  "a million characters are no duration",
  (keepAlive) => {
    expect(keepAliveMs(keepAlive)).toBeUndefined();
  },
);

// An ambiguous pattern takes twice as long for each number, more than a second for these.
test.each([[`${"11a".repeat(21)}!`], [`${"1111a".repeat(12)}!`]])(
  "decides on %s without trying each way of splitting its numbers",
  (keepAlive) => {
    const before = process.threadCpuUsage();
    expect(keepAliveMs(keepAlive)).toBeUndefined();
    expect(process.threadCpuUsage(before).user / 1000).toBeLessThan(50);
  },
);

test("rejects a keep_alive of a million digits with 400 for a key that shares models", async () => {
  const fake = await startFake();
  const { key, line } = newKey("ada", []);
  const gateway = await startGateway(fake, { API_KEYS: line });
  const response = await gateway.post(
    "/v1/chat/completions",
    { ...hello, keep_alive: "1".repeat(1_000_000) },
    { headers: { authorization: `Bearer ${key}` } },
  );
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { param: "keep_alive" } });
  expect(fake.received).toHaveLength(0);
});
