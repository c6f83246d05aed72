import { type Socket, connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import { errorOf, hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const chat = "/v1/chat/completions";
const pollOptions = { timeout: 45_000 };
const ada = newKey("ada", []);

interface Client {
  readonly socket: Socket;
  readonly received: () => string;
  readonly isClosed: () => boolean;
}

function open(port: number, bytes = ""): Client {
  const socket = connect(port, "127.0.0.1");
  let received = "";
  let closed = false;
  socket.on("data", (piece) => (received += piece.toString()));
  socket.on("error", () => undefined);
  socket.on("close", () => (closed = true));
  socket.write(bytes);
  onTestFinished(() => void socket.destroy());
  return { socket, received: () => received, isClosed: () => closed };
}

/** Sends the head of a request and the start of its body, then one byte at a time without end. */
function openDripping(port: number, head: string): Client {
  const client = open(
    port,
    `${head}\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 900000\r\n\r\n{`,
  );
  const dripping = setInterval(() => client.socket.write(" "), 50);
  client.socket.on("end", () => {
    // Keeps sending.
  });
  onTestFinished(() => {
    clearInterval(dripping);
  });
  return client;
}

function post(path: string, key: string, body: object): string {
  const text = JSON.stringify(body);
  return `POST ${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`;
}

describe("closes a connection whose unread body keeps arriving after responding with", () => {
  test.each([
    ["401", `POST ${chat} HTTP/1.1`],
    ["404", "POST /v1/nothing HTTP/1.1\r\nauthorization: Bearer KEY"],
    ["405", `PUT ${chat} HTTP/1.1\r\nauthorization: Bearer KEY`],
    ["400", `POST ${chat} HTTP/1.1\r\nauthorization: Bearer KEY\r\nexpect-bad: 1`],
    ["400", "POST /%zz HTTP/1.1"],
    ["200", "GET /health HTTP/1.1"],
  ])("%s to %s", async (status, head) => {
    const gateway = await startGateway(await startFake(), {
      API_KEYS: ada.line,
      REQUEST_TIMEOUT_MS: "600000",
    });
    const client = openDripping(gateway.port, head.replace("KEY", ada.key));
    // Invalid JSON.
    if (head.includes("expect-bad")) client.socket.write(`"${"\u0001".repeat(300_000)}`);
    await expect.poll(client.received, pollOptions).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    await expect.poll(client.isClosed, pollOptions).toBe(true);
  });
});

test("a client that sends a large body to its end still reads the early rejection", async () => {
  const gateway = await startGateway(await startFake());
  for (let n = 0; n < 20; n += 1) {
    const response = await gateway.post(chat, `{"a":${"[".repeat(10_000_000)}`);
    expect(response.status).toBe(400);
    expect((await errorOf(response)).message).toContain("levels deep");
  }
});

test("does not serve a request pipelined behind an unread body", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake, { API_KEYS: ada.line });
  const head = `POST ${chat} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n`;
  const client = open(gateway.port, `${head}0123456789`);
  await expect.poll(client.received, pollOptions).toMatch(/^HTTP\/1\.1 401 /);
  client.socket.write(`0123456789${post(chat, ada.key, hello)}`);
  await expect.poll(client.isClosed, pollOptions).toBe(true);
  expect(client.received().split("HTTP/1.1")).toHaveLength(2);
  expect(fake.received).toHaveLength(0);
});

test("closes a connection that pipelines thousands of requests", async () => {
  const gateway = await startGateway(await startFake());
  const client = open(gateway.port, "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(20_000));
  await expect.poll(client.isClosed, pollOptions).toBe(true);
  expect(client.received().split("HTTP/1.1 200").length).toBeLessThan(1000);
  expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
});

test("closes an idle connection at the connection limit, or rejects the new one with 503", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake, { CONNECTIONS_LIMIT: "4" });
  let release: () => void = () => undefined;
  fake.respondWith({ until: new Promise<void>((resolve) => (release = resolve)) }, token("x"), last());
  const busy = Array.from({ length: 4 }, () => open(gateway.port, post(chat, "", hello)));
  await fake.conversation(3);
  const refused = open(gateway.port, post(chat, "", hello));
  await expect.poll(refused.received, pollOptions).toMatch(/^HTTP\/1\.1 503 [^]*connections_full/);
  expect(refused.received()).toMatch(/retry-after: 2/i);
  await expect.poll(refused.isClosed, pollOptions).toBe(true);
  expect(fake.received).toHaveLength(4);
  release();
  for (const client of busy) await expect.poll(client.received, pollOptions).toMatch(/^HTTP\/1\.1 200 /);
  const served = open(gateway.port, post(chat, "", hello));
  await expect.poll(served.received, pollOptions).toMatch(/^HTTP\/1\.1 200 /);
  expect(busy.some((client) => client.isClosed())).toBe(true);
});

test.each([
  ["no request", "", ada.line],
  ["half a request", `POST ${chat} HTTP/1.1\r\nhost: localhost\r\n`, ada.line],
  ["a wrong key", post(chat, "wrong", hello), ada.line],
  ["no request, to a gateway without keys", "", ""],
])("many clients that send %s do not block others", async (_request, bytes, keys) => {
  const fake = await startFake();
  const gateway = await startGateway(fake, { CONNECTIONS_LIMIT: "16", API_KEYS: keys });
  fake.respondWith("hang");
  const known = open(gateway.port, post(chat, ada.key, { ...hello, stream: true }));
  await fake.conversation();
  const strangers = Array.from({ length: 40 }, () => open(gateway.port, bytes));
  await expect
    .poll(() => strangers.filter((client) => client.isClosed()).length, pollOptions)
    .toBeGreaterThanOrEqual(36);
  expect(known.isClosed()).toBe(false);
  open(gateway.port, post(chat, ada.key, hello));
  await fake.conversation(1);
});
