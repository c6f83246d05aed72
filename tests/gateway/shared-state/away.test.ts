import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { freePort } from "../../../host/free-port.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  hello,
  metric,
  readEvents,
  ready,
  startFake,
  startGateway,
  type TestGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import { fetchRedis } from "../../../test-support/redis/redis-server.ts";
import {
  environmentOf,
  knowEachOther,
  Meter,
  startRedis,
  startShared,
} from "../../../test-support/gateway/shared-gateways.ts";

beforeAll(fetchRedis, 300_000);

const chat = "/v1/chat/completions";
const streamed = { ...hello, stream: true };
const AWAY = "shared state is away, continuing with this gateway's share of slots and limits";
const BACK = "shared state is back";

const up = ({ url }: TestGateway, value: number): Promise<void> =>
  metric(url, `gateway_shared_state_up ${value}`);

const logged = ({ log }: TestGateway, message: string): string[] =>
  log.filter((line) => line.includes(message));

async function readiness({ url }: TestGateway): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${url}/ready`);
  return { status: response.status, body: await response.json() };
}

test("while Redis is gone requests are served, which metrics, log and /ready say; it is used again when it is back", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const [one, other] = (await startShared(2, redis, [server])) as [TestGateway, TestGateway];
  await ready(one);
  expect(await readiness(one)).toEqual({ status: 200, body: { status: "ready", shared_state: "up" } });
  const { promise: until, resolve: end } = Promise.withResolvers<undefined>();
  server.respondWith(token("x"), { until }, last());
  const first = await one.post(chat, streamed);
  // On a busy machine, the first connection may have taken too long.
  for (const gateway of [one, other])
    await expect.poll(() => logged(gateway, AWAY).length - logged(gateway, BACK).length).toBe(0);
  const before = [one, other].map((gateway) => [logged(gateway, AWAY).length, logged(gateway, BACK).length]);

  await redis.kill();
  await up(one, 0);
  await up(other, 0);
  expect(await readiness(one)).toEqual({ status: 200, body: { status: "ready", shared_state: "away" } });
  // Each has its share, and knows nothing of the other.
  const second = await other.post(chat, streamed);
  expect(second.status).toBe(200);
  expect(server.received).toHaveLength(2);

  await redis.run();
  await up(one, 1);
  await up(other, 1);
  expect(await readiness(one)).toEqual({ status: 200, body: { status: "ready", shared_state: "up" } });
  // What both run is known again, though Redis had forgotten it.
  const third = other.post(chat, streamed);
  await metric(other.url, "gateway_queue_depth 1");
  expect(server.received).toHaveLength(2);
  end(undefined);
  for (const response of [first, second, await third]) {
    expect((await readEvents(response)).data.at(-1)).toBe("[DONE]");
  }
  await expect
    .poll(() =>
      [one, other].map((gateway) => [logged(gateway, AWAY).length - 1, logged(gateway, BACK).length - 1]),
    )
    .toEqual(before);
});

test("a Redis that does not respond counts as away, so that it keeps no request waiting", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const environment = { SHARED_STATE_TIMEOUT_MS: "100" };
  const [gateway] = (await startShared(1, redis, [server], { environment })) as [TestGateway];
  redis.pause();
  const response = await gateway.post(chat, streamed);
  expect((await readEvents(response)).data.at(-1)).toBe("[DONE]");
  await up(gateway, 0);
  redis.resume();
  await up(gateway, 1);
  // What was sent to it while it slept counts for nothing.
  const after = await gateway.post(chat, streamed);
  expect((await readEvents(after)).data.at(-1)).toBe("[DONE]");
});

test("while Redis is away two gateways have half of a server's slots each", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const environment = { OLLAMA_NUM_PARALLEL: "4", SHARED_STATE_LEASE_MS: "15000" };
  const gateways = await startShared(2, redis, [server], { environment });
  await knowEachOther(gateways);
  await redis.kill();
  for (const gateway of gateways) await up(gateway, 0);
  const { promise: until, resolve: end } = Promise.withResolvers<undefined>();
  const meter = new Meter(server, () => until);
  const running = gateways.flatMap((gateway) =>
    Array.from({ length: 5 }, () => gateway.post(chat, streamed).then(readEvents)),
  );
  for (const { url } of gateways) await metric(url, "gateway_queue_depth 3");
  await expect.poll(() => meter.now).toBe(4);
  end(undefined);
  for (const { data } of await Promise.all(running)) expect(data.at(-1)).toBe("[DONE]");
  expect(meter.most).toBe(4);
});

test("a gateway starts without its Redis, and finds it when it comes", async () => {
  const server = await startFake();
  const redis = await startRedis();
  await redis.kill();
  const [gateway] = (await startShared(1, redis, [server])) as [TestGateway];
  await up(gateway, 0);
  const response = await gateway.post(chat, streamed);
  expect((await readEvents(response)).data.at(-1)).toBe("[DONE]");
  await redis.run();
  await up(gateway, 1);
});

test("a password comes from its file, is followed there, and is in no line of the log", async () => {
  const password = "correct-horse-battery";
  const [redis, server] = await Promise.all([startRedis(password), startFake()]);
  const file = redis.passwordFile;
  writeFileSync(file, "wrong-password\n");
  const environment = { SHARED_STATE_PASSWORD_FILE: file };
  const [gateway] = (await startShared(1, redis, [server], { environment })) as [TestGateway];
  await up(gateway, 0);
  writeFileSync(file, `${password}\n`);
  await up(gateway, 1);
  expect(gateway.log.join("")).not.toMatch(/wrong-password|correct-horse/);
  expect(logged(gateway, AWAY)).toHaveLength(1);
});

test("without shared state there are no metrics and no field of /ready for it", async () => {
  const server = await startFake();
  const gateway = await startGateway(server);
  await ready(gateway);
  expect(await readiness(gateway)).toEqual({ status: 200, body: { status: "ready" } });
  expect(await (await fetch(`${gateway.url}/metrics`)).text()).not.toContain("gateway_shared_state");
});

test("a gateway whose Redis is never there stops all the same", async () => {
  const server = await startFake();
  const gateway = await startGateway(server, {
    ...environmentOf(await startRedis(), [server]),
    SHARED_STATE: `redis://127.0.0.1:${await freePort()}`,
  });
  await up(gateway, 0);
  await gateway.close();
  expect(logged(gateway, AWAY)).toHaveLength(1);
});

test("a gateway with its state in memory does not load the client of Redis", async () => {
  const used = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", LOADED_FILES], {
    cwd: join(import.meta.dirname, "../../.."),
  });
  expect(used.stdout).toMatch(/fastify/);
  expect(used.stdout).not.toMatch(/ioredis/);
});

const LOADED_FILES = `
  import { createRequire } from "node:module";
  import { buildApp } from "./gateway/src/app.ts";
  import { readConfig } from "./gateway/src/config/config.ts";
  import { createLog } from "./gateway/src/observability/log.ts";
  const app = buildApp(readConfig({ LLM_SERVICE_PORT: "1" }), createLog("fatal", { write() {} }));
  await app.ready();
  console.log(Object.keys(createRequire("/").cache).join("\\n"));
  await app.close();
`;
