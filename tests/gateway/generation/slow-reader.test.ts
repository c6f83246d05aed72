import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Received } from "../../../test-support/fakes/ollama/received.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  type TestGateway,
  eventually,
  hello,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";

const chat = "/v1/chat/completions";

/** Requests a stream and does not read it. */
async function startUnreadStream(gateway: TestGateway): Promise<IncomingMessage> {
  const client = request(gateway.url + chat, {
    method: "POST",
    headers: { "content-type": "application/json" },
  });
  client.end(JSON.stringify({ ...hello, stream: true }));
  const [response] = (await once(client, "response")) as [IncomingMessage];
  response.pause();
  return response;
}

/** Waits until nothing more is read from a flood and returns the number of bytes read. */
async function waitUntilStalled(flood: Received): Promise<number> {
  for (let taken = -1; ;) {
    await wait(150);
    if (flood.bytesTaken === taken) return taken;
    taken = flood.bytesTaken;
  }
}

test("a client that does not read holds Ollama back instead of filling memory", async () => {
  const fake = await startFake();
  fake.respondWith("flood");
  const gateway = await startGateway(fake);
  const response = await startUnreadStream(gateway);
  const flood = await fake.conversation();
  const before = process.memoryUsage().rss;
  const taken = await waitUntilStalled(flood);
  // The kernel's buffers on both sides and one chunk in the gateway; a second of the flood is hundreds of MB.
  expect(taken).toBeLessThan(40e6);
  expect(process.memoryUsage().rss - before).toBeLessThan(60e6);
  response.resume();
  await eventually(() => flood.bytesTaken > taken + 5e6 || undefined);
  response.destroy();
  expect(await flood.brokenOff).toBe(true);
});

test("a client that reads late gets the complete response, in order", async () => {
  const fake = await startFake();
  const count = 20_000;
  const lines = Array.from({ length: count }, (_, n) =>
    JSON.stringify({ message: { content: `<${n}>` }, done: false }),
  );
  fake.respondWith({ raw: `${lines.join("\n")}\n` }, last());
  const response = await startUnreadStream(await startGateway(fake));
  await wait(300);
  const text = Buffer.concat(await response.toArray()).toString();
  const numbers = [...text.matchAll(/<(\d+)>/g)].map((match) => Number(match[1]));
  expect(numbers).toEqual(Array.from({ length: count }, (_, n) => n));
  expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
});

test("disconnects a client that never reads and stops its work", async () => {
  const fake = await startFake();
  fake.respondWith("flood");
  const gateway = await startGateway(fake, { SLOW_READER_TIMEOUT_MS: "200" });
  const response = await startUnreadStream(gateway);
  response.on("error", () => undefined);
  expect(await (await fake.conversation()).brokenOff).toBe(true);
  expect(await gateway.requestLine(chat)).toMatchObject({ error: "client_stalled" });
});

test("does not mistake a slow reader for a silent Ollama", async () => {
  const fake = await startFake();
  fake.respondWith("flood");
  const gateway = await startGateway(fake, { IDLE_TIMEOUT_MS: "200" });
  const response = await startUnreadStream(gateway);
  const flood = await fake.conversation();
  const taken = await waitUntilStalled(flood);
  // Longer than the interval of undici's timers.
  await wait(1500);
  response.resume();
  await eventually(() => flood.bytesTaken > taken + 1e6 || undefined);
  response.destroy();
});

test("one slow reader does not slow the others", async () => {
  const fake = await startFake();
  fake.respondWith("flood");
  const gateway = await startGateway(fake);
  const response = await startUnreadStream(gateway);
  await waitUntilStalled(await fake.conversation());
  fake.respondWith(token("Hello"), last());
  const completion = await gateway.openai.chat.completions.create(hello);
  expect(completion.choices[0]?.message.content).toBe("Hello");
  response.destroy();
});
