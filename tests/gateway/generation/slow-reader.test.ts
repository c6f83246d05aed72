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

/** A client that asks for a stream and does not read it. */
async function notReading(gateway: TestGateway): Promise<IncomingMessage> {
  const client = request(gateway.url + chat, {
    method: "POST",
    headers: { "content-type": "application/json" },
  });
  client.end(JSON.stringify({ ...hello, stream: true }));
  const [response] = (await once(client, "response")) as [IncomingMessage];
  response.pause();
  return response;
}

/** Waits until a flood has come to rest, and says how much of it was taken. */
async function atRest(flood: Received): Promise<number> {
  for (let taken = -1; ;) {
    await wait(150);
    if (flood.bytesTaken === taken) return taken;
    taken = flood.bytesTaken;
  }
}

test("a client that does not read holds Ollama back instead of filling the memory", async () => {
  const fake = await startFake();
  fake.respondWith("flood");
  const gateway = await startGateway(fake);
  const response = await notReading(gateway);
  const flood = await fake.conversation();
  const before = process.memoryUsage().rss;
  const taken = await atRest(flood);
  // What the kernel's buffers on both sides and one piece in the gateway hold; a second's flood would be hundreds.
  expect(taken).toBeLessThan(40e6);
  expect(process.memoryUsage().rss - before).toBeLessThan(60e6);
  response.resume();
  await eventually(() => flood.bytesTaken > taken + 5e6 || undefined);
  response.destroy();
  expect(await flood.brokenOff).toBe(true);
});

test("a client that reads late gets all of the answer, in order", async () => {
  const fake = await startFake();
  const count = 20_000;
  const lines = Array.from({ length: count }, (_, n) =>
    JSON.stringify({ message: { content: `<${n}>` }, done: false }),
  );
  fake.respondWith({ raw: `${lines.join("\n")}\n` }, last());
  const response = await notReading(await startGateway(fake));
  await wait(300);
  const text = Buffer.concat(await response.toArray()).toString();
  const numbers = [...text.matchAll(/<(\d+)>/g)].map((match) => Number(match[1]));
  expect(numbers).toEqual(Array.from({ length: count }, (_, n) => n));
  expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
});

test("a client that never reads is disconnected, and its work stopped", async () => {
  const fake = await startFake();
  fake.respondWith("flood");
  const gateway = await startGateway(fake, { SLOW_READER_TIMEOUT_MS: "200" });
  const response = await notReading(gateway);
  response.on("error", () => undefined);
  expect(await (await fake.conversation()).brokenOff).toBe(true);
  expect(await gateway.requestLine(chat)).toMatchObject({ error: "client_stalled" });
});

test("a reader that is behind does not make Ollama look silent", async () => {
  const fake = await startFake();
  fake.respondWith("flood");
  const gateway = await startGateway(fake, { IDLE_TIMEOUT_MS: "200" });
  const response = await notReading(gateway);
  const flood = await fake.conversation();
  const taken = await atRest(flood);
  // Longer than undici's timers are apart.
  await wait(1500);
  response.resume();
  await eventually(() => flood.bytesTaken > taken + 1e6 || undefined);
  response.destroy();
});

test("one slow reader does not slow the others", async () => {
  const fake = await startFake();
  fake.respondWith("flood");
  const gateway = await startGateway(fake);
  const response = await notReading(gateway);
  await atRest(await fake.conversation());
  fake.respondWith(token("Hello"), last());
  const answer = await gateway.openai.chat.completions.create(hello);
  expect(answer.choices[0]?.message.content).toBe("Hello");
  response.destroy();
});
