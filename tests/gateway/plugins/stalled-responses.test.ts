import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import {
  type TestGateway,
  eventually,
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
