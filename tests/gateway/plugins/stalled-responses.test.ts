import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import { last } from "../../../test-support/fakes/ollama/steps.ts";
import {
  type TestGateway,
  eventually,
  hello,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";

const ROUTE = "/v1/responses/:id/input_items";

/** Stores a conversation that is larger than the kernel's buffers. */
async function store(gateway: TestGateway): Promise<string> {
  const item = { role: "user", content: "Hi", status: "a".repeat(24_000_000) };
  const response = await gateway.post("/v1/responses", { model: "m", input: [item] });
  const { id } = (await response.json()) as { id: string };
  return `/v1/responses/${id}/input_items`;
}

/** Requests a path, and reads nothing but the headers. */
async function startUnread(gateway: TestGateway, path: string): Promise<IncomingMessage> {
  const client = request(gateway.url + path);
  client.end();
  const [response] = (await once(client, "response")) as [IncomingMessage];
  response.pause().on("error", () => undefined);
  return response;
}

test("disconnects a client that reads nothing of a long response", async () => {
  const gateway = await startGateway(await startFake(), { SLOW_READER_TIMEOUT_MS: "300" });
  const response = await startUnread(gateway, await store(gateway));
  expect(await gateway.requestLine(ROUTE)).toMatchObject({ error: "client_stalled" });
  response.destroy();
});

test("a client that reads a long response slowly gets all of it", async () => {
  const gateway = await startGateway(await startFake(), { SLOW_READER_TIMEOUT_MS: "2000" });
  const response = await startUnread(gateway, await store(gateway));
  let length = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    length += piece.length;
    if (Math.floor(length / 3e6) > Math.floor((length - piece.length) / 3e6)) await wait(500);
  }
  expect(length).toBeGreaterThan(24_000_000);
  const line = await eventually(() => gateway.requestLine(ROUTE));
  expect(line).not.toHaveProperty("error");
});

test("does not disconnect a client whose next request on the connection takes long", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake, { SLOW_READER_TIMEOUT_MS: "200" });
  const path = await store(gateway);
  const { promise: until, resolve: proceed } = Promise.withResolvers<undefined>();
  fake.respondWith({ until }, last());
  const body = JSON.stringify(hello);
  const client = connect(gateway.port, "127.0.0.1");
  const chunks: Buffer[] = [];
  client.on("data", (chunk: Buffer) => chunks.push(chunk));
  client.write(
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n` +
      `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const closed = once(client, "close");
  await fake.conversation(1);
  await wait(1000);
  proceed(undefined);
  await closed;
  expect(Buffer.concat(chunks).subarray(-1000).toString()).toContain('"object":"chat.completion"');
});
