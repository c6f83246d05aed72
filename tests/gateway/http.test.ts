import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { hello, startFake, startGateway } from "../../test-support/gateway/gateway-harness.ts";

const body = JSON.stringify(hello);

/** Sends raw bytes and returns everything received until the connection closes. */
async function sendRaw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  const closed = once(socket, "close");
  let text = "";
  socket.on("data", (piece) => (text += piece.toString()));
  socket.write(bytes);
  await closed;
  return text;
}

function post(headers: string, content: string): string {
  const head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
  return `${head}${headers}Connection: close\r\n\r\n${content}`;
}

test.each([
  [
    "Content-Length and Transfer-Encoding",
    `Content-Length: ${body.length}\r\nTransfer-Encoding: chunked\r\n`,
  ],
  ["two Content-Length headers", `Content-Length: ${body.length}\r\nContent-Length: 3\r\n`],
  ["an unknown transfer encoding", "Transfer-Encoding: chunked, smuggled\r\n"],
  ["a space before a header's colon", `Content-Length : ${body.length}\r\n`],
])("rejects an ambiguous request: %s", async (_case, headers) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const response = await sendRaw(gateway.port, post(headers, body));
  expect(response).toMatch(/^HTTP\/1\.1 400 /);
  expect(response).toContain('"type":"invalid_request_error"');
  expect(fake.received).toHaveLength(0);
});

test("responds to bytes that are not HTTP with the same error format", async () => {
  const gateway = await startGateway(await startFake());
  expect(await sendRaw(gateway.port, "hello?\r\n\r\n")).toMatch(
    /^HTTP\/1\.1 400 [^]*"invalid_request_error"/,
  );
});

test("forwards none of the client's headers to Ollama", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const headers = {
    "content-type": "application/json",
    authorization: "Bearer x",
    cookie: "a=b",
    "x-forwarded-for": "1",
  };
  await gateway.post("/v1/chat/completions", hello, { headers });
  expect(Object.keys((await fake.conversation()).headers).toSorted()).toEqual([
    "accept",
    "connection",
    "content-length",
    "content-type",
    "host",
  ]);
});

test.each([
  ["its headers", "POST /v1/chat/completions HTTP/1.1\r\nHost: local"],
  ["its body", post(`Content-Length: ${body.length}\r\n`, "{").replace("Connection: close\r\n", "")],
])("responds with 408 to a client that does not send %s in time", async (_part, bytes) => {
  const gateway = await startGateway(await startFake(), { REQUEST_TIMEOUT_MS: "200" });
  const response = await sendRaw(gateway.port, bytes);
  expect(response).toMatch(/^HTTP\/1\.1 408 [^]*"request_timeout"/);
});

test("responds to headers over Node's limit with 431", async () => {
  const gateway = await startGateway(await startFake());
  const response = await sendRaw(
    gateway.port,
    post(`X-Long: ${"x".repeat(20_000)}\r\nContent-Length: 2\r\n`, "{}"),
  );
  expect(response).toMatch(/^HTTP\/1\.1 431 [^]*"headers_too_large"/);
});

test("rejects a JSON key that would change an object's prototype", async () => {
  const gateway = await startGateway(await startFake());
  const response = await gateway.post("/v1/chat/completions", `{"__proto__":{"n":1},${body.slice(1)}`);
  expect(response.status).toBe(400);
});
