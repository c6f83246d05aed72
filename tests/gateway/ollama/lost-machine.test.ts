import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  errorOf,
  hello,
  metric,
  readEvents,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import { startLosable } from "../../../test-support/gateway/lost-machine.ts";

const chat = "/v1/chat/completions";
const streamed = { ...hello, stream: true };

async function startWithLosable() {
  const [lost, other] = await Promise.all([startLosable(), startFake()]);
  const gateway = await startGateway(other, {
    LLM_BACKENDS: `127.0.0.1:${lost.port}, 127.0.0.1:${other.port}`,
    OLLAMA_NUM_PARALLEL: "4",
  });
  for (const { port } of [lost, other])
    await metric(gateway.url, `gateway_backend_up{backend="127.0.0.1:${port}"} 1`);
  return { lost, other, gateway };
}

test("a stream fails if its server's host is lost, and the next requests go to another backend", async () => {
  const { lost, other, gateway } = await startWithLosable();
  const response = await gateway.post(chat, streamed);
  const { data } = await readEvents(response, (text) => {
    if (text.includes('"Hi"')) lost.lose();
  });
  expect(JSON.parse(data.at(-1) ?? "")).toMatchObject({
    error: { code: "upstream_incomplete", message: "Lost the connection to the Ollama server's host." },
  });
  for (const content of ["one", "two", "three"]) {
    const messages = [{ role: "user", content }];
    expect((await gateway.post(chat, { ...hello, messages })).status).toBe(200);
  }
  expect(other.received).toHaveLength(3);
});

test("a buffered response fails with 502 if its server's host is lost", async () => {
  const { lost, gateway } = await startWithLosable();
  const response = gateway.post(chat, hello);
  await metric(gateway.url, `gateway_backend_requests_in_flight{backend="127.0.0.1:${lost.port}"} 1`);
  lost.lose();
  const { status } = await response;
  expect(status).toBe(502);
  expect((await errorOf(await response)).message).toBe("Lost the connection to the Ollama server's host.");
});

/** Starts a TCP proxy that counts its connections. */
async function startCountingProxy(
  port: number,
): Promise<{ readonly port: number; readonly count: () => number }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const upstream = connect({ host: "127.0.0.1", port });
    sockets.push(socket, upstream);
    for (const each of [socket, upstream]) each.on("error", () => each.destroy());
    socket.pipe(upstream).pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, count: () => sockets.length / 2 };
}

test("a stream may be silent for longer than CONNECT_TIMEOUT_MS while its server's host is reachable", async () => {
  const fake = await startFake();
  const { promise: until, resolve } = Promise.withResolvers<undefined>();
  fake.respondWith(token("Hel"), { until }, token("lo"), last());
  const proxy = await startCountingProxy(fake.port);
  const gateway = await startGateway(proxy, { CONNECT_TIMEOUT_MS: "300", POLL_INTERVAL_MS: "3600000" });
  const stream = gateway.post(chat, streamed).then((response) => readEvents(response));
  await expect.poll(() => fake.received.length).toBe(1);
  const before = proxy.count();
  // The gateway checks the host every half second.
  await expect.poll(() => proxy.count()).toBeGreaterThan(before + 3);
  resolve(undefined);
  const { data } = await stream;
  expect(data.at(-1)).toBe("[DONE]");
});
