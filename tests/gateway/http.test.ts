import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { hello, startFake, startGateway } from "../../test-support/gateway/gateway-harness.ts";

const body = JSON.stringify(hello);

/** Sends bytes as they are and gives what comes back until the connection ends. */
async function exchange(port: number, bytes: string): Promise<string> {
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
  ["both lengths", `Content-Length: ${body.length}\r\nTransfer-Encoding: chunked\r\n`],
  ["two lengths", `Content-Length: ${body.length}\r\nContent-Length: 3\r\n`],
  ["an encoding nobody knows", "Transfer-Encoding: chunked, smuggled\r\n"],
  ["a space before the colon", `Content-Length : ${body.length}\r\n`],
])("a request that could be read in two ways (%s) is refused", async (_what, headers) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const answer = await exchange(gateway.port, post(headers, body));
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(answer).toContain('"type":"invalid_request_error"');
  expect(fake.received).toHaveLength(0);
});

test("bytes that are no HTTP are answered in the same form", async () => {
  const gateway = await startGateway(await startFake());
  expect(await exchange(gateway.port, "hello?\r\n\r\n")).toMatch(
    /^HTTP\/1\.1 400 [^]*"invalid_request_error"/,
  );
});

test("nothing of the client's headers reaches Ollama", async () => {
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
])("a client that does not send %s in time is answered with 408", async (_what, bytes) => {
  const gateway = await startGateway(await startFake(), { REQUEST_TIMEOUT_MS: "200" });
  const answer = await exchange(gateway.port, bytes);
  expect(answer).toMatch(/^HTTP\/1\.1 408 [^]*"request_timeout"/);
});

test("headers beyond Node's limit are answered with 431", async () => {
  const gateway = await startGateway(await startFake());
  const answer = await exchange(
    gateway.port,
    post(`X-Long: ${"x".repeat(20_000)}\r\nContent-Length: 2\r\n`, "{}"),
  );
  expect(answer).toMatch(/^HTTP\/1\.1 431 [^]*"headers_too_large"/);
});

test("a key that would change an object's prototype is refused", async () => {
  const gateway = await startGateway(await startFake());
  const response = await gateway.post("/v1/chat/completions", `{"__proto__":{"n":1},${body.slice(1)}`);
  expect(response.status).toBe(400);
});
