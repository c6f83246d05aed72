import { connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { FakeOllama } from "../../../test-support/fakes/ollama/fake-ollama.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  errorOf,
  hello,
  metric,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";

const chat = "/v1/chat/completions";
const KIB = 1024;
const long = (kib: number) => ({ model: "m", messages: [{ role: "user", content: "x".repeat(kib * KIB) }] });

async function start(): Promise<{ fake: FakeOllama; gateway: Awaited<ReturnType<typeof startGateway>> }> {
  const fake = await startFake();
  const gateway = await startGateway(fake, {
    BODIES_LIMIT_BYTES: `${256 * KIB}`,
    BODY_LIMIT_BYTES: `${256 * KIB}`,
  });
  return { fake, gateway };
}

/** A body without a Content-Length. */
function chunked(body: unknown): RequestInit {
  const text = JSON.stringify(body);
  const pieces = [text.slice(0, 1000), text.slice(1000)];
  const stream = new ReadableStream({
    pull(controller) {
      const piece = pieces.shift();
      if (piece === undefined) controller.close();
      else controller.enqueue(new TextEncoder().encode(piece));
    },
  });
  return { body: stream, duplex: "half" };
}

test.each([
  ["declared", (body: unknown): RequestInit => ({ body: JSON.stringify(body) })],
  ["unknown in advance", chunked],
])("rejects bodies over the budget whose length is %s, but accepts small ones", async (_length, init) => {
  const { fake, gateway } = await start();
  let release: () => void = () => undefined;
  const until = new Promise<void>((resolve) => (release = resolve));
  fake.respondWith({ until }, token("x"), last());
  const first = gateway.post(chat, long(200), init(long(200)));
  await fake.conversation();
  const refused = await gateway.post(chat, long(150), init(long(150)));
  expect(refused.status).toBe(503);
  expect(refused.headers.get("retry-after")).toBe("2");
  expect(await errorOf(refused)).toMatchObject({ code: "bodies_full", type: "server_error" });
  const small = gateway.post(chat, hello);
  await fake.conversation(1);
  release();
  expect([(await first).status, (await small).status]).toEqual([200, 200]);
  await metric(gateway.url, 'gateway_refusals_total{reason="bodies_full"} 1');
  // The budget is free again.
  expect((await gateway.post(chat, long(200), init(long(200)))).status).toBe(200);
});

test("rejects a body over the body limit as too large, not for lack of budget", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake, {
    BODIES_LIMIT_BYTES: `${256 * KIB}`,
    BODY_LIMIT_BYTES: `${128 * KIB}`,
  });
  const refused = await gateway.post(chat, long(300));
  expect((await errorOf(refused)).code).toBe("body_too_large");
});

test("bodies rejected as too large leave no budget taken", async () => {
  const { gateway } = await start();
  for (let n = 0; n < 8; n += 1) {
    const refused = await gateway.post(chat, long(600), chunked(long(600))).catch(() => undefined);
    // The connection may close before the response was read.
    if (refused !== undefined) expect(refused.status).toBe(413);
  }
  expect((await gateway.post(chat, long(200))).status).toBe(200);
});

test("a declared Content-Length alone takes no budget", async () => {
  const { gateway } = await start();
  const declaring = Array.from({ length: 3 }, () => connect(gateway.port, "127.0.0.1"));
  onTestFinished(() => {
    for (const socket of declaring) socket.destroy();
  });
  for (const socket of declaring)
    socket.write(
      `POST ${chat} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 200000\r\n\r\n{`,
    );
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect((await gateway.post(chat, long(200))).status).toBe(200);
});

test("charges JSON values by the memory they take, not by their text", async () => {
  const { fake, gateway } = await start();
  let release: () => void = () => undefined;
  const until = new Promise<void>((resolve) => (release = resolve));
  fake.respondWith({ until }, token("x"), last());
  const many = { ...hello, metadata: { list: Array.from({ length: 1500 }, () => ({})) } };
  const first = gateway.post(chat, many);
  await fake.conversation();
  // 6 KiB of text, and 3,000 values.
  expect((await errorOf(await gateway.post(chat, many))).code).toBe("bodies_full");
  release();
  expect((await first).status).toBe(200);
});

test("charges small bodies as they arrive, so that many incomplete ones do not fill the memory", async () => {
  const gateway = await startGateway(await startFake(), {
    // A quarter of the budget is for small bodies.
    BODIES_LIMIT_BYTES: `${1024 * KIB}`,
    BODY_LIMIT_BYTES: `${64 * KIB}`,
  });
  const head = `POST ${chat} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n`;
  const sent = `{"a":"${"x".repeat(50 * KIB)}"`;
  const responses: string[] = [];
  const sockets = Array.from({ length: 12 }, () => {
    const socket = connect(gateway.port, "127.0.0.1");
    socket.on("data", (piece) => responses.push(piece.toString()));
    socket.on("error", () => undefined);
    socket.write(`${head}content-length: ${sent.length + 1}\r\n\r\n${sent}`);
    return socket;
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  // Five of the 12 bodies fit: they take 250 KiB.
  await expect.poll(() => responses.length, { timeout: 45_000 }).toBe(7);
  for (const response of responses) expect(response).toMatch(/^HTTP\/1\.1 503 [^]*bodies_full/);
  for (const socket of sockets) socket.destroy();
  await expect.poll(async () => (await gateway.post(chat, long(50))).status, { timeout: 45_000 }).toBe(200);
});

describe("shares of the body budget", () => {
  const [ada, bob] = [newKey("ada", []), newKey("bob", [])];
  const body = long(200);

  /** A gateway with room for five of the bodies, whose requests hang until the test ends. */
  async function startHolding(keys: string): Promise<(key?: string) => Promise<Response | "held">> {
    const fake = await startFake();
    const gateway = await startGateway(fake, {
      BODIES_LIMIT_BYTES: `${1024 * KIB}`,
      BODY_LIMIT_BYTES: `${1024 * KIB}`,
      API_KEYS: keys,
    });
    let held = 0;
    return (key) => {
      fake.respondWith("hang");
      const headers = { "content-type": "application/json", authorization: `Bearer ${key ?? "none"}` };
      const response = gateway.post(chat, body, { headers });
      response.catch(() => undefined);
      const index = held;
      const arrived = fake.conversation(index).then(() => {
        held = index + 1;
        return "held" as const;
      });
      arrived.catch(() => undefined);
      return Promise.race([response, arrived]);
    };
  }

  async function expectRefused(sent: Promise<Response | "held">): Promise<void> {
    const outcome = await sent;
    if (outcome === "held") throw new Error("the request was admitted");
    expect((await errorOf(outcome)).code).toBe("bodies_full");
  }

  test("one of several keys cannot use the complete budget", async () => {
    const send = await startHolding(`${ada.line}; ${bob.line}`);
    for (let n = 0; n < 3; n += 1) expect(await send(ada.key)).toBe("held");
    await expectRefused(send(ada.key));
    expect(await send(bob.key)).toBe("held");
    await expectRefused(send(bob.key));
  });

  test.each([
    ["the only key", ada.line, ada.key],
    ["a client of a gateway without keys", "", undefined],
  ])("%s may use the complete budget", async (_client, keys, key) => {
    const send = await startHolding(keys);
    for (let n = 0; n < 5; n += 1) expect(await send(key)).toBe("held");
    await expectRefused(send(key));
  });

  test("a single body may take the complete budget", async () => {
    const fake = await startFake();
    const gateway = await startGateway(fake, {
      BODIES_LIMIT_BYTES: `${256 * KIB}`,
      BODY_LIMIT_BYTES: `${256 * KIB}`,
      API_KEYS: `${ada.line}; ${bob.line}`,
    });
    fake.respondWith(token("x"), last());
    const headers = { "content-type": "application/json", authorization: `Bearer ${ada.key}` };
    expect((await gateway.post(chat, long(250), { headers })).status).toBe(200);
  });
});
