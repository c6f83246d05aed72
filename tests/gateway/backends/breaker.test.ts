import { expect, test } from "vitest";
import { last } from "../../../test-support/fake-ollama.ts";
import { hello, metric, startFake, startGateway } from "../../../test-support/gateway-harness.ts";

const chat = "/v1/chat/completions";
// All that a test asks of a server that is left alone has to fit in, on a busy machine, too.
const OPEN_MS = 3000;

test("a server that breaks off again and again is left alone, then tried with one request", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake, { BREAKER_FAILURES: "2", BREAKER_OPEN_MS: `${OPEN_MS}` });
  const open = (value: number): string =>
    `gateway_backend_breaker_open{backend="127.0.0.1:${fake.port}"} ${value}`;
  fake.answers("cut");
  for (let n = 0; n < 2; n += 1) expect((await gateway.post(chat, hello)).status).toBe(502);
  await metric(gateway.url, open(1));
  expect((await gateway.post(chat, hello)).status).toBe(503);
  expect(fake.received).toHaveLength(2);

  await new Promise((resolve) => setTimeout(resolve, OPEN_MS + 50));
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.answers({ until: released }, last({ message: { content: "x" } }));
  const trial = gateway.post(chat, hello);
  await fake.conversation(2);
  expect((await gateway.post(chat, hello)).status).toBe(503);
  release(undefined);
  expect((await trial).status).toBe(200);
  await metric(gateway.url, open(0));
  expect((await gateway.post(chat, hello)).status).toBe(200);
});

test("a server that breaks off the request that tries it is left alone as long again", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake, { BREAKER_FAILURES: "2", BREAKER_OPEN_MS: `${OPEN_MS}` });
  const ask = async (): Promise<number> => (await gateway.post(chat, hello)).status;
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  fake.answers("cut");
  expect([await ask(), await ask(), await ask()]).toEqual([502, 502, 503]);
  await pause(OPEN_MS + 50);
  // One failure is enough now.
  expect([await ask(), await ask()]).toEqual([502, 503]);
  expect(fake.received).toHaveLength(3);
  await metric(gateway.url, `gateway_backend_breaker_open{backend="127.0.0.1:${fake.port}"} 1`);
  await pause(OPEN_MS + 50);
  fake.answers(last({ message: { content: "x" } }));
  expect([await ask(), await ask()]).toEqual([200, 200]);
  // It starts afresh.
  fake.answers("cut");
  expect([await ask(), await ask(), await ask()]).toEqual([502, 502, 503]);
});
