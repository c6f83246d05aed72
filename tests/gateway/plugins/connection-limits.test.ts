import { type Socket, connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import { errorOf, hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const chat = "/v1/chat/completions";
const patience = { timeout: 45_000 };
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

/** The head of a request and the beginning of its body, whose next bytes come one by one, for good. */
function openDripping(port: number, head: string): Client {
  const client = open(
    port,
    `${head}\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 900000\r\n\r\n{`,
  );
  const dripping = setInterval(() => client.socket.write(" "), 50);
  client.socket.on("end", () => {
    // It goes on all the same.
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

describe("a connection whose body nobody reads is closed, however its bytes drip on, after", () => {
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
    // No JSON begins so.
    if (head.includes("expect-bad")) client.socket.write(`"${"\u0001".repeat(300_000)}`);
    await expect.poll(client.received, patience).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    await expect.poll(client.isClosed, patience).toBe(true);
  });
});

test("a client that sends a large body in full reads why it was refused at its beginning", async () => {
  const gateway = await startGateway(await startFake());
  for (let n = 0; n < 20; n += 1) {
    const response = await gateway.post(chat, `{"a":${"[".repeat(10_000_000)}`);
    expect(response.status).toBe(400);
    expect((await errorOf(response)).message).toContain("levels deep");
  }
});

test("what is sent behind a body that nobody reads is not answered", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake, { API_KEYS: ada.line });
  const head = `POST ${chat} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n`;
  const client = open(gateway.port, `${head}0123456789`);
  await expect.poll(client.received, patience).toMatch(/^HTTP\/1\.1 401 /);
  client.socket.write(`0123456789${post(chat, ada.key, hello)}`);
  await expect.poll(client.isClosed, patience).toBe(true);
  expect(client.received().split("HTTP/1.1")).toHaveLength(2);
  expect(fake.received).toHaveLength(0);
});

test("a refusal that comes with its body read leaves the connection open", async () => {
  const gateway = await startGateway(await startFake(), { API_KEYS: ada.line });
  const client = open(gateway.port, post(chat, "wrong", hello));
  await expect.poll(client.received, patience).toMatch(/^HTTP\/1\.1 401 /);
  client.socket.write(post(chat, ada.key, hello));
  await expect.poll(client.received, patience).toMatch(/HTTP\/1\.1 200 /);
});

test("thousands of requests at once on one connection are not all served", async () => {
  const gateway = await startGateway(await startFake());
  const client = open(gateway.port, "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(20_000));
  await expect.poll(client.isClosed, patience).toBe(true);
  expect(client.received().split("HTTP/1.1 200").length).toBeLessThan(1000);
  expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
});

test("connections are limited: an idle one makes room, else a new one is told that there is none", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake, { CONNECTIONS_LIMIT: "4" });
  let release: () => void = () => undefined;
  fake.respondWith({ until: new Promise<void>((resolve) => (release = resolve)) }, token("x"), last());
  const busy = Array.from({ length: 4 }, () => open(gateway.port, post(chat, "", hello)));
  await fake.conversation(3);
  const refused = open(gateway.port, post(chat, "", hello));
  await expect.poll(refused.received, patience).toMatch(/^HTTP\/1\.1 503 [^]*connections_full/);
  expect(refused.received()).toMatch(/retry-after: 2/i);
  await expect.poll(refused.isClosed, patience).toBe(true);
  expect(fake.received).toHaveLength(4);
  release();
  for (const client of busy) await expect.poll(client.received, patience).toMatch(/^HTTP\/1\.1 200 /);
  const served = open(gateway.port, post(chat, "", hello));
  await expect.poll(served.received, patience).toMatch(/^HTTP\/1\.1 200 /);
  expect(busy.some((client) => client.isClosed())).toBe(true);
});

test.each([
  ["no request", "", ada.line],
  ["half a request", `POST ${chat} HTTP/1.1\r\nhost: localhost\r\n`, ada.line],
  ["a wrong key", post(chat, "wrong", hello), ada.line],
  ["no request, where none needs a key", "", ""],
])("clients that send %s keep nobody out, however many", async (_what, bytes, keys) => {
  const fake = await startFake();
  const gateway = await startGateway(fake, { CONNECTIONS_LIMIT: "16", API_KEYS: keys });
  fake.respondWith("hang");
  const known = open(gateway.port, post(chat, ada.key, { ...hello, stream: true }));
  await fake.conversation();
  const strangers = Array.from({ length: 40 }, () => open(gateway.port, bytes));
  await expect
    .poll(() => strangers.filter((client) => client.isClosed()).length, patience)
    .toBeGreaterThanOrEqual(36);
  expect(known.isClosed()).toBe(false);
  open(gateway.port, post(chat, ada.key, hello));
  await fake.conversation(1);
});
