import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { TAKE } from "../../../gateway/src/shared-state/slot-scripts.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  eventually,
  hello,
  metric,
  readEvents,
  startFake,
  type TestGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import { RedisRelay } from "../../../test-support/redis/redis-relay.ts";
import { fetchRedis } from "../../../test-support/redis/redis-server.ts";
import {
  knowEachOther,
  Meter,
  startProcess,
  startRedis,
  startShared,
  stateIs,
} from "../../../test-support/gateway/shared-gateways.ts";

beforeAll(fetchRedis, 300_000);

const chat = "/v1/chat/completions";
const streamed = { ...hello, stream: true };

const atModulo = <T>(list: readonly T[], index: number): T => list[index % list.length] as T;

/** Runs one request to its end and returns its last event. */
async function run(gateway: Pick<TestGateway, "post">): Promise<string | undefined> {
  const response = await gateway.post(chat, streamed);
  const { data } = await readEvents(response);
  return data.at(-1);
}

const queueDepth = (value: number): string => `gateway_queue_depth ${value}`;

test("two gateways never run two requests at a time on a server with one slot", async () => {
  const [redis, left, right] = await Promise.all([startRedis(), startFake(), startFake()]);
  const gateways = await startShared(2, redis, [left, right]);
  const meters = [left, right].map((server) => new Meter(server, () => sleep(5)));
  const ends = await Promise.all(Array.from({ length: 20 }, (_, n) => run(atModulo(gateways, n))));
  expect(ends).toEqual(Array.from({ length: 20 }, () => "[DONE]"));
  expect(meters.map(({ most }) => most)).toEqual([1, 1]);
  expect(meters.reduce((sum, { total }) => sum + total, 0)).toBe(20);
});

test("three gateways use all four slots of a server, and no more", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const gateways = await startShared(3, redis, [server], { environment: { OLLAMA_NUM_PARALLEL: "4" } });
  const { promise: full, resolve: setFull } = Promise.withResolvers<undefined>();
  const meter: Meter = new Meter(server, () => {
    if (meter.now === 4) setFull(undefined);
    return full.then(() => sleep(2));
  });
  const ends = await Promise.all(Array.from({ length: 24 }, (_, n) => run(atModulo(gateways, n))));
  expect(new Set(ends)).toEqual(new Set(["[DONE]"]));
  expect(meter.most).toBe(4);
});

test("a request waits for a slot held by another gateway and runs as soon as it is released", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const [one, other] = (await startShared(2, redis, [server])) as [TestGateway, TestGateway];
  const { promise: until, resolve: end } = Promise.withResolvers<undefined>();
  server.respondWith(token("x"), { until }, last());
  const first = await one.post(chat, streamed);
  const second = run(other);
  await metric(other.url, queueDepth(1));
  expect(server.received).toHaveLength(1);
  end(undefined);
  expect(await second).toBe("[DONE]");
  await readEvents(first);
  expect(server.received).toHaveLength(2);
});

test("gateways with long and short queues get slots in turn", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const [one, other] = (await startShared(2, redis, [server])) as [TestGateway, TestGateway];
  const order: string[] = [];
  const { promise: until, resolve: begin } = Promise.withResolvers<undefined>();
  server.respondTo(({ messages }) => {
    order.push(messages[0]?.content ?? "");
    return [token("x"), { until }, last()];
  });
  const send = (gateway: TestGateway, content: string): Promise<unknown> =>
    gateway
      .post(chat, { model: "m", stream: true, messages: [{ role: "user", content }] })
      .then((response) => readEvents(response));
  const running = [send(one, "one")];
  await server.conversation(0);
  for (let n = 0; n < 6; n += 1) running.push(send(one, "one"));
  await metric(one.url, queueDepth(6));
  for (let n = 0; n < 2; n += 1) running.push(send(other, "other"));
  await metric(other.url, queueDepth(2));
  begin(undefined);
  await Promise.all(running);
  expect(order.slice(0, 6).filter((each) => each === "other")).toHaveLength(2);
});

test("a client that leaves the queue does not block a slot for other gateways", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const [one, second, third] = await startShared(3, redis, [server]);
  if (one === undefined || second === undefined || third === undefined) throw new Error("no gateways");
  const { promise: until, resolve: end } = Promise.withResolvers<undefined>();
  server.respondWith(token("x"), { until }, last());
  const first = await one.post(chat, streamed);
  const client = new AbortController();
  const left = expect(second.post(chat, streamed, { signal: client.signal })).rejects.toThrow();
  await metric(second.url, queueDepth(1));
  const waiting = run(third);
  await metric(third.url, queueDepth(1));
  client.abort();
  await left;
  await metric(second.url, queueDepth(0));
  end(undefined);
  expect(await waiting).toBe("[DONE]");
  await readEvents(first);
});

test("does not miss a turn whose message overtakes the response to wait for it", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const relay = await RedisRelay.start(redis);
  // A missed turn comes again with the next heartbeat: here in ten minutes.
  const environment = { SHARED_STATE_LEASE_MS: "3000000" };
  const [other] = (await startShared(1, redis, [server], { environment })) as [TestGateway];
  const [gateway] = (await startShared(1, redis, [server], {
    environment: { ...environment, SHARED_STATE: relay.url },
  })) as [TestGateway];
  for (const each of [other, gateway]) await stateIs(each, "up");
  const { promise: until, resolve: end } = Promise.withResolvers<undefined>();
  server.respondTo(() => (server.received.length === 1 ? [token("x"), { until }, last()] : undefined));
  const first = run(other);
  await server.conversation(0);
  relay.holdsReplies = (piece) => piece.includes(TAKE.sha);
  const second = run(gateway);
  const name = `127.0.0.1:${server.port}`;
  await expect.poll(() => redis.command("ZCARD", `ollama-stack:waiting:${name}`)).toBe(1);
  end(undefined);
  await first;
  await expect.poll(() => redis.command("HLEN", `ollama-stack:slots:${name}`)).toBe(0);
  // When these return, the gateway has received what was sent before them.
  for (let n = 0; n < 3; n += 1) await (await fetch(`${gateway.url}/health`)).text();
  relay.release();
  expect(await second).toBe("[DONE]");
});

test("releases the slots of a killed gateway", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const doomed = await startProcess(redis, [server], { SHARED_STATE_LEASE_MS: "2000" });
  server.respondTo(() => (server.received.length === 1 ? [token("x"), "hang"] : undefined));
  const cut = doomed.post(chat, streamed).then(readEvents, () => undefined);
  await server.conversation(0);
  const taken = (): Promise<unknown> => redis.command("HVALS", `ollama-stack:slots:127.0.0.1:${server.port}`);
  const environment = { SHARED_STATE_LEASE_MS: "10000" };
  const [gateway] = (await startShared(1, redis, [server], { environment })) as [TestGateway];
  await expect.poll(taken).toEqual(["1"]);
  doomed.kill();
  expect(await run(gateway)).toBe("[DONE]");
  await cut;
  await expect.poll(taken).toEqual([]);
});

test("a gateway that shuts down releases its slots and leaves the group", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const environment = { SHARED_STATE_LEASE_MS: "10000", SHUTDOWN_TIMEOUT_MS: "100" };
  const [one, other] = (await startShared(2, redis, [server], { environment })) as [TestGateway, TestGateway];
  await knowEachOther([one, other]);
  server.respondTo(() => (server.received.length === 1 ? [token("x"), "hang"] : undefined));
  const cut = one.post(chat, streamed).then(readEvents, () => undefined);
  await server.conversation(0);
  const taken = (): Promise<unknown> => redis.command("HVALS", `ollama-stack:slots:127.0.0.1:${server.port}`);
  await expect.poll(taken).toEqual(["1"]);
  await one.close();
  // Before its lease expires.
  expect(await taken()).toEqual([]);
  await cut;
  await metric(other.url, "gateway_shared_state_gateways 1");
  expect(await run(other)).toBe("[DONE]");
});

test("isolates the gateways of different stacks in one Redis", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const gateways = (
    await Promise.all(
      ["stack-a", "stack-b"].map((prefix) =>
        startShared(1, redis, [server], { environment: { SHARED_STATE_PREFIX: prefix } }),
      ),
    )
  ).flat();
  server.respondWith(token("x"), "hang");
  const responses = await Promise.all(gateways.map((gateway) => gateway.post(chat, streamed)));
  expect(server.received).toHaveLength(2);
  for (const response of responses) await response.body?.cancel();
});

test("sets an expiry on every key in Redis", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const gateways = await startShared(2, redis, [server]);
  server.respondWith(token("x"), "hang");
  const responses = [await atModulo(gateways, 0).post(chat, streamed)];
  const waiting = atModulo(gateways, 1).post(chat, streamed);
  await metric(atModulo(gateways, 1).url, queueDepth(1));
  const keys = (await redis.command("KEYS", "*")) as string[];
  expect(keys.length).toBeGreaterThan(2);
  for (const key of keys) expect(Number(await redis.command("PTTL", key)), key).toBeGreaterThan(0);
  await responses[0]?.body?.cancel();
  await eventually(() => (server.received.length === 2 ? true : undefined));
  await (await waiting).body?.cancel();
});
