import { once } from "node:events";
import { connect } from "node:net";
import { brotliCompressSync, constants, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import type { FakeOllama } from "../../../test-support/fakes/ollama/fake-ollama.ts";
import {
  errorOf,
  eventually,
  hello,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";

const route = "/v1/chat/completions";
const MIB = 1024 * 1024;

// Brotli takes seconds for a megabyte at its default quality.
const fastBrotli = { params: { [constants.BROTLI_PARAM_QUALITY]: 2 } };

const encoders = {
  gzip: gzipSync,
  "x-gzip": gzipSync,
  deflate: deflateSync,
  br: (body: Buffer | string) => brotliCompressSync(body, fastBrotli),
  zstd: zstdCompressSync,
} as const;
const encodings = Object.keys(encoders) as (keyof typeof encoders)[];

function post(url: string, encoding: string, body: Buffer, path = route): Promise<Response> {
  return fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json", "content-encoding": encoding },
    body: new Uint8Array(body),
  });
}

/** A fake whose model's context fits a prompt of the largest body. */
async function startLargeContextFake(): Promise<FakeOllama> {
  const fake = await startFake();
  fake.loaded = [{ name: "m:latest", context_length: 100 * MIB }];
  return fake;
}

const withText = (text: string) =>
  Buffer.from(JSON.stringify({ ...hello, messages: [{ role: "user", content: text }] }));

test.each(encodings)("decodes a body in %s", async (encoding) => {
  const fake = await startFake();
  const { url } = await startGateway(fake);
  const response = await post(url, encoding, encoders[encoding](JSON.stringify(hello)));
  expect(response.status).toBe(200);
  expect((await fake.conversation()).body.messages).toEqual(hello.messages);
});

test.each(encodings)("decodes a long body in %s to its original text", async (encoding) => {
  const fake = await startLargeContextFake();
  const { url } = await startGateway(fake);
  const text = Array.from({ length: 200_000 }, (_none, index) => (index * index).toString(36)).join(" ");
  const response = await post(url, encoding, encoders[encoding](withText(text)));
  expect(response.status).toBe(200);
  expect((await fake.conversation()).body.messages[0]?.content).toBe(text);
});

test.each(["/api/chat", "/v1/messages"])("%s accepts an encoded body", async (path) => {
  const { url } = await startGateway(await startFake());
  const body = gzipSync(JSON.stringify({ ...hello, max_tokens: 4 }));
  expect((await post(url, "GZIP", body, path)).status).toBe(200);
});

test("accepts the identity encoding", async () => {
  const { url } = await startGateway(await startFake());
  expect((await post(url, "identity", Buffer.from(JSON.stringify(hello)))).status).toBe(200);
});

test.each(["compress", "gzip, br", "rot13"])(
  "rejects the encoding '%s' and lists the supported ones",
  async (name) => {
    const { url } = await startGateway(await startFake());
    const response = await post(url, name, Buffer.from(JSON.stringify(hello)));
    expect(response.status).toBe(415);
    expect(response.headers.get("accept-encoding")).toBe("gzip, deflate, br, zstd");
    expect(await errorOf(response)).toMatchObject({
      code: "unsupported_media_type",
      message: expect.stringContaining(name) as string,
    });
  },
);

test.each(encodings)("rejects bytes that are not %s with 400", async (encoding) => {
  const { url } = await startGateway(await startFake());
  const bytes = Buffer.from("this is not compressed at all");
  const response = await post(url, encoding, bytes);
  expect(response.status).toBe(400);
  expect((await errorOf(response)).code).toBe("invalid_request");
});

test.each(encodings)("rejects a truncated body in %s with 400", async (encoding) => {
  const { url } = await startGateway(await startFake());
  const bytes = encoders[encoding](withText("x".repeat(1000)));
  const response = await post(url, encoding, bytes.subarray(0, bytes.length - 8));
  expect(response.status).toBe(400);
});

test.each(encodings)("applies the body limit to the decoded body, in %s", async (encoding) => {
  const fake = await startLargeContextFake();
  const { url } = await startGateway(fake, { BODY_LIMIT_BYTES: `${MIB}` });
  const fits = encoders[encoding](withText("x".repeat(MIB - 200)));
  const bomb = encoders[encoding](withText("x".repeat(64 * MIB)));
  expect(bomb.length).toBeLessThan(MIB / 8);
  expect((await post(url, encoding, fits)).status).toBe(200);
  const response = await post(url, encoding, bomb);
  expect(response.status).toBe(413);
  expect((await errorOf(response)).code).toBe("body_too_large");
  expect(fake.received).toHaveLength(1);
});

test("applies the JSON limits to the decoded body", async () => {
  const { url } = await startGateway(await startFake());
  const deep = gzipSync(`{"model":"m","messages":${"[".repeat(100_000)}${"]".repeat(100_000)}}`);
  expect((await post(url, "gzip", deep)).status).toBe(400);
  const many = gzipSync(`{"model":"m","messages":[${"1,".repeat(200_000)}1]}`);
  expect([400, 413]).toContain((await post(url, "gzip", many)).status);
});

test("charges the decoded body to the body budget and releases it", async () => {
  const fake = await startLargeContextFake();
  const limits = { BODY_LIMIT_BYTES: `${2 * MIB}`, BODIES_LIMIT_BYTES: `${3 * MIB}` };
  const { url } = await startGateway(fake, limits);
  const body = gzipSync(withText("x".repeat(1.8 * MIB)));
  fake.respondWith("hang");
  const client = new AbortController();
  const first = fetch(url + route, {
    method: "POST",
    headers: { "content-type": "application/json", "content-encoding": "gzip" },
    body: new Uint8Array(body),
    signal: client.signal,
  });
  first.catch(() => undefined);
  await fake.conversation();
  const second = await post(url, "gzip", body);
  expect(second.status).toBe(503);
  expect((await errorOf(second)).code).toBe("bodies_full");
  client.abort();
  fake.respondWith({
    line: { message: { role: "assistant", content: "Hi" }, done: true, done_reason: "stop" },
  });
  await expect.poll(async () => (await post(url, "gzip", body)).status, { timeout: 15_000 }).toBe(200);
});

test("small encoded bodies in flight leave budget for many more", async () => {
  const fake = await startFake();
  const limits = { BODY_LIMIT_BYTES: `${MIB}`, BODIES_LIMIT_BYTES: `${MIB}` };
  const { url } = await startGateway(fake, { ...limits, OLLAMA_NUM_PARALLEL: "32" });
  fake.respondWith("hang");
  const client = new AbortController();
  const body = new Uint8Array(zstdCompressSync(JSON.stringify(hello)));
  const headers = { "content-type": "application/json", "content-encoding": "zstd" };
  for (let sent = 0; sent < 16; sent += 1) {
    const waiting = fetch(url + route, { method: "POST", headers, body, signal: client.signal });
    waiting.catch(() => undefined);
    await fake.conversation(sent);
  }
  client.abort();
  expect(fake.received).toHaveLength(16);
});

test("recovers from a client that disconnects within an encoded body", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const bytes = gzipSync(withText("x".repeat(100_000)));
  const socket = connect(gateway.port, "127.0.0.1");
  socket.on("error", () => undefined);
  await once(socket, "connect");
  const head =
    `POST ${route} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
    `Content-Encoding: gzip\r\nContent-Length: ${bytes.length}\r\n\r\n`;
  socket.write(head);
  socket.write(bytes.subarray(0, 50));
  await new Promise((resolve) => socket.write("", resolve));
  socket.destroy();
  expect(await gateway.requestLine(route)).toMatchObject({ error: "client_left" });
  expect((await post(gateway.url, "gzip", gzipSync(JSON.stringify(hello)))).status).toBe(200);
  await eventually(() => fake.received[0]);
});
