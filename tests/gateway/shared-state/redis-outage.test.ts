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

const untilUp = ({ url }: TestGateway, value: number): Promise<void> =>
  metric(url, `gateway_shared_state_up ${value}`);

const logLinesWith = ({ log }: TestGateway, message: string): string[] =>
  log.filter((line) => line.includes(message));

async function readiness({ url }: TestGateway): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${url}/ready`);
  return { status: response.status, body: await response.json() };
}

test("serves requests during a Redis outage, reports it in metrics, log and /ready, and shares again afterwards", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const [one, other] = (await startShared(2, redis, [server])) as [TestGateway, TestGateway];
  await ready(one);
  expect(await readiness(one)).toEqual({ status: 200, body: { status: "ready", shared_state: "up" } });
  const { promise: until, resolve: end } = Promise.withResolvers<undefined>();
  server.respondWith(token("x"), { until }, last());
  const first = await one.post(chat, streamed);
  // On a busy machine, the first connection may have timed out.
  for (const gateway of [one, other])
    await expect.poll(() => logLinesWith(gateway, AWAY).length - logLinesWith(gateway, BACK).length).toBe(0);
  const before = [one, other].map((gateway) => [
    logLinesWith(gateway, AWAY).length,
    logLinesWith(gateway, BACK).length,
  ]);

  await redis.kill();
  await untilUp(one, 0);
  await untilUp(other, 0);
  expect(await readiness(one)).toEqual({ status: 200, body: { status: "ready", shared_state: "away" } });
  // Each gateway uses its own share of the slots.
  const second = await other.post(chat, streamed);
  expect(second.status).toBe(200);
  expect(server.received).toHaveLength(2);

  await redis.run();
  await untilUp(one, 1);
  await untilUp(other, 1);
  expect(await readiness(one)).toEqual({ status: 200, body: { status: "ready", shared_state: "up" } });
  // Both gateways have reported their running requests to the emptied Redis.
  const third = other.post(chat, streamed);
  await metric(other.url, "gateway_queue_depth 1");
  expect(server.received).toHaveLength(2);
  end(undefined);
  for (const response of [first, second, await third]) {
    expect((await readEvents(response)).data.at(-1)).toBe("[DONE]");
  }
  await expect
    .poll(() =>
      [one, other].map((gateway) => [
        logLinesWith(gateway, AWAY).length - 1,
        logLinesWith(gateway, BACK).length - 1,
      ]),
    )
    .toEqual(before);
});

test("treats an unresponsive Redis as away, so that requests do not wait for it", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const environment = { SHARED_STATE_TIMEOUT_MS: "100" };
  const [gateway] = (await startShared(1, redis, [server], { environment })) as [TestGateway];
  redis.pause();
  const response = await gateway.post(chat, streamed);
  expect((await readEvents(response)).data.at(-1)).toBe("[DONE]");
  await untilUp(gateway, 0);
  redis.resume();
  await untilUp(gateway, 1);
  // Commands sent during the pause have no lasting effect.
  const after = await gateway.post(chat, streamed);
  expect((await readEvents(after)).data.at(-1)).toBe("[DONE]");
});

test("gives each of two gateways half of a server's slots while Redis is away", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const environment = { OLLAMA_NUM_PARALLEL: "4", SHARED_STATE_LEASE_MS: "15000" };
  const gateways = await startShared(2, redis, [server], { environment });
  await knowEachOther(gateways);
  await redis.kill();
  for (const gateway of gateways) await untilUp(gateway, 0);
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

test("starts without Redis and connects when it becomes available", async () => {
  const server = await startFake();
  const redis = await startRedis();
  await redis.kill();
  const [gateway] = (await startShared(1, redis, [server])) as [TestGateway];
  await untilUp(gateway, 0);
  const response = await gateway.post(chat, streamed);
  expect((await readEvents(response)).data.at(-1)).toBe("[DONE]");
  await redis.run();
  await untilUp(gateway, 1);
});

test("reads the password from its file, follows changes there and never logs it", async () => {
  const password = "correct-horse-battery";
  const [redis, server] = await Promise.all([startRedis(password), startFake()]);
  const file = redis.passwordFile;
  writeFileSync(file, "wrong-password\n");
  const environment = { SHARED_STATE_PASSWORD_FILE: file };
  const [gateway] = (await startShared(1, redis, [server], { environment })) as [TestGateway];
  await untilUp(gateway, 0);
  writeFileSync(file, `${password}\n`);
  await untilUp(gateway, 1);
  expect(gateway.log.join("")).not.toMatch(/wrong-password|correct-horse/);
  expect(logLinesWith(gateway, AWAY)).toHaveLength(1);
});

test("omits shared state from the metrics and /ready if it is off", async () => {
  const server = await startFake();
  const gateway = await startGateway(server);
  await ready(gateway);
  expect(await readiness(gateway)).toEqual({ status: 200, body: { status: "ready" } });
  expect(await (await fetch(`${gateway.url}/metrics`)).text()).not.toContain("gateway_shared_state");
});

test("shuts down although Redis was never available", async () => {
  const server = await startFake();
  const gateway = await startGateway(server, {
    ...environmentOf(await startRedis(), [server]),
    SHARED_STATE: `redis://127.0.0.1:${await freePort()}`,
  });
  await untilUp(gateway, 0);
  await gateway.close();
  expect(logLinesWith(gateway, AWAY)).toHaveLength(1);
});

test("does not load the Redis client if the state is in memory", async () => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--input-type=module", "--eval", LOADED_FILES],
    {
      cwd: join(import.meta.dirname, "../../.."),
    },
  );
  expect(stdout).toMatch(/fastify/);
  expect(stdout).not.toMatch(/ioredis/);
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
