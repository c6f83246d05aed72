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

const ofEach = <T>(list: readonly T[], index: number): T => list[index % list.length] as T;

/** Runs one request to its end, and returns its last event. */
async function run(gateway: Pick<TestGateway, "post">): Promise<string | undefined> {
  const response = await gateway.post(chat, streamed);
  const { data } = await readEvents(response);
  return data.at(-1);
}

const depth = (value: number): string => `gateway_queue_depth ${value}`;

test("20 requests of two gateways to two servers of one slot never run two at a time on one", async () => {
  const [redis, left, right] = await Promise.all([startRedis(), startFake(), startFake()]);
  const gateways = await startShared(2, redis, [left, right]);
  const meters = [left, right].map((server) => new Meter(server, () => sleep(5)));
  const ends = await Promise.all(Array.from({ length: 20 }, (_, n) => run(ofEach(gateways, n))));
  expect(ends).toEqual(Array.from({ length: 20 }, () => "[DONE]"));
  expect(meters.map(({ most }) => most)).toEqual([1, 1]);
  expect(meters.reduce((sum, { total }) => sum + total, 0)).toBe(20);
});

test("three gateways use all slots of a server with four, and no more", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const gateways = await startShared(3, redis, [server], { environment: { OLLAMA_NUM_PARALLEL: "4" } });
  const { promise: full, resolve: isFull } = Promise.withResolvers<undefined>();
  const meter: Meter = new Meter(server, () => {
    if (meter.now === 4) isFull(undefined);
    return full.then(() => sleep(2));
  });
  const ends = await Promise.all(Array.from({ length: 24 }, (_, n) => run(ofEach(gateways, n))));
  expect(new Set(ends)).toEqual(new Set(["[DONE]"]));
  expect(meter.most).toBe(4);
});

test("a request waits for a slot that another gateway has, and runs as soon as that gateway gives it back", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const [one, other] = (await startShared(2, redis, [server])) as [TestGateway, TestGateway];
  const { promise: until, resolve: end } = Promise.withResolvers<undefined>();
  server.respondWith(token("x"), { until }, last());
  const first = await one.post(chat, streamed);
  const second = run(other);
  await metric(other.url, depth(1));
  expect(server.received).toHaveLength(1);
  end(undefined);
  expect(await second).toBe("[DONE]");
  await readEvents(first);
  expect(server.received).toHaveLength(2);
});

test("a gateway with a long queue leaves every other slot to a gateway with a short one", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const [one, other] = (await startShared(2, redis, [server])) as [TestGateway, TestGateway];
  const order: string[] = [];
  const { promise: until, resolve: begin } = Promise.withResolvers<undefined>();
  server.respondTo(({ messages }) => {
    order.push(messages[0]?.content ?? "");
    return [token("x"), { until }, last()];
  });
  const ask = (gateway: TestGateway, content: string): Promise<unknown> =>
    gateway
      .post(chat, { model: "m", stream: true, messages: [{ role: "user", content }] })
      .then((response) => readEvents(response));
  const running = [ask(one, "one")];
  await server.conversation(0);
  for (let n = 0; n < 6; n += 1) running.push(ask(one, "one"));
  await metric(one.url, depth(6));
  for (let n = 0; n < 2; n += 1) running.push(ask(other, "other"));
  await metric(other.url, depth(2));
  begin(undefined);
  await Promise.all(running);
  expect(order.slice(0, 6).filter((each) => each === "other")).toHaveLength(2);
});

test("a client that leaves the queue keeps no other gateway from the slot", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const [one, second, third] = await startShared(3, redis, [server]);
  if (one === undefined || second === undefined || third === undefined) throw new Error("no gateways");
  const { promise: until, resolve: end } = Promise.withResolvers<undefined>();
  server.respondWith(token("x"), { until }, last());
  const first = await one.post(chat, streamed);
  const client = new AbortController();
  const left = expect(second.post(chat, streamed, { signal: client.signal })).rejects.toThrow();
  await metric(second.url, depth(1));
  const waiting = run(third);
  await metric(third.url, depth(1));
  client.abort();
  await left;
  await metric(second.url, depth(0));
  end(undefined);
  expect(await waiting).toBe("[DONE]");
  await readEvents(first);
});

test("a turn whose message overtakes the response that says to wait for it is not missed", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const relay = await RedisRelay.start(redis);
  // Turns that are missed come again with a heartbeat: here in ten minutes.
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
  // What was sent before these is there when they are responded to.
  for (let n = 0; n < 3; n += 1) await (await fetch(`${gateway.url}/health`)).text();
  relay.release();
  expect(await second).toBe("[DONE]");
});

test("the slots of a gateway that was killed come free", async () => {
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

test("a gateway that stops gives its slots back, and the others know that it is gone", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const environment = { SHARED_STATE_LEASE_MS: "2000" };
  const [one, other] = (await startShared(2, redis, [server], { environment })) as [TestGateway, TestGateway];
  await knowEachOther([one, other]);
  await one.close();
  await metric(other.url, "gateway_shared_state_gateways 1");
  expect(await run(other)).toBe("[DONE]");
});

test("gateways of different stacks know nothing of each other in the same server", async () => {
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

test("everything in the store ends by itself when no gateway refers to it any more", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const gateways = await startShared(2, redis, [server]);
  server.respondWith(token("x"), "hang");
  const responses = [await ofEach(gateways, 0).post(chat, streamed)];
  const waiting = ofEach(gateways, 1).post(chat, streamed);
  await metric(ofEach(gateways, 1).url, depth(1));
  const keys = (await redis.command("KEYS", "*")) as string[];
  expect(keys.length).toBeGreaterThan(2);
  for (const key of keys) expect(Number(await redis.command("PTTL", key)), key).toBeGreaterThan(0);
  await responses[0]?.body?.cancel();
  await eventually(() => (server.received.length === 2 ? true : undefined));
  await (await waiting).body?.cancel();
});
