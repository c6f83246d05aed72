import { beforeAll, expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { TAKE } from "../../../gateway/src/shared-state/usage-scripts.ts";
import { freePort } from "../../../host/free-port.ts";
import {
  hello,
  startFake,
  startGateway,
  type TestGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import { RedisRelay } from "../../../test-support/redis/redis-relay.ts";
import { fetchRedis, type RedisServer } from "../../../test-support/redis/redis-server.ts";
import {
  environmentOf,
  startRedis,
  startShared,
  stateIs,
} from "../../../test-support/gateway/shared-gateways.ts";

beforeAll(fetchRedis, 300_000);

const chat = "/v1/chat/completions";

const logLinesWith = ({ log }: TestGateway, message: string): string[] =>
  log.filter((line) => line.includes(message));

/** How often gateways have tried to connect to a Redis. */
async function attempts(redis: RedisServer): Promise<number> {
  const statistics = (await redis.command("INFO", "commandstats")) as string;
  return Number(/cmdstat_subscribe:calls=(\d+)/.exec(statistics)?.[1] ?? 0);
}

test.each([
  ["is full", ["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"], "OOM"],
  ["is a replica", ["REPLICAOF", "127.0.0.1", "PORT"], ["REPLICAOF", "NO", "ONE"], "READONLY"],
])(
  "treats a Redis that %s as away until it is writable, logs it once and serves requests",
  async (_state, breakCommand, repairCommand, error) => {
    const [redis, server, port] = await Promise.all([startRedis(), startFake(), freePort()]);
    const [gateway] = (await startShared(1, redis, [server])) as [TestGateway];
    await stateIs(gateway, "up");
    expect((await gateway.post(chat, hello)).status).toBe(200);
    const away = "shared state is away";
    const before = [logLinesWith(gateway, away).length, logLinesWith(gateway, "shared state is back").length];
    await redis.command(...breakCommand.map((argument) => (argument === "PORT" ? `${port}` : argument)));
    expect((await gateway.post(chat, hello)).status).toBe(200);
    await stateIs(gateway, "away");
    const tried = await attempts(redis);
    await expect.poll(() => attempts(redis), { timeout: 45_000 }).toBeGreaterThan(tried + 2);
    await stateIs(gateway, "away");
    expect((await gateway.post(chat, hello)).status).toBe(200);
    expect(logLinesWith(gateway, away)).toHaveLength((before[0] ?? 0) + 1);
    expect(logLinesWith(gateway, away).at(-1)).toContain(error);
    expect(logLinesWith(gateway, "shared state is back")).toHaveLength(before[1] ?? 0);

    await redis.command(...repairCommand);
    await stateIs(gateway, "up");
    await expect.poll(() => logLinesWith(gateway, "shared state is back")).toHaveLength((before[1] ?? 0) + 1);
    expect((await gateway.post(chat, hello)).status).toBe(200);
  },
);

test("reconnects when its connection for messages stops responding", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const relay = await RedisRelay.start(redis);
  relay.holds = (_piece, before) => before.includes("subscribe");
  const gateway = await startGateway(server, {
    ...environmentOf(redis, [server]),
    SHARED_STATE: relay.url,
    SHARED_STATE_TIMEOUT_MS: "400",
    SHARED_STATE_LEASE_MS: "3000",
  });
  await expect
    .poll(() => logLinesWith(gateway, "shared state is away").join(), { timeout: 45_000 })
    .toContain("no response on the connection for messages in 400 ms");
  relay.release();
  await stateIs(gateway, "up");
});

/** A gateway that limits the requests of a key, with a relay before Redis. */
async function startLimited() {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const relay = await RedisRelay.start(redis);
  const { key, line } = newKey("ada", ["requests=1000"]);
  const gateway = await startGateway(server, {
    ...environmentOf(redis, [server]),
    SHARED_STATE: relay.url,
    API_KEYS: line,
  });
  await stateIs(gateway, "up");
  return { server, relay, key, gateway };
}

test("does not compute embeddings for a client that disconnects before Redis responds", async () => {
  const { server, relay, key, gateway } = await startLimited();
  const embed = (signal: AbortSignal | null): Promise<Response> =>
    gateway.post(
      "/v1/embeddings",
      { model: "m", input: ["a", "b", "c"] },
      {
        signal,
        headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
      },
    );
  // The first TAKE counts the request, the second the other texts.
  let takes = 0;
  relay.holds = (piece) => piece.includes(TAKE.sha) && (takes += 1) === 2;
  const client = new AbortController();
  const left = expect(embed(client.signal)).rejects.toThrow();
  await expect.poll(() => relay.held).toBe(1);
  client.abort();
  await left;
  await gateway.requestLine("/v1/embeddings");
  relay.release();
  // When this request is done, the first one would have been, too.
  await (await embed(null)).text();
  expect(server.received.map(({ path }) => path)).toEqual(["/api/embed"]);
});

test("does not open a console for a client that disconnects before Redis responds", async () => {
  const { relay, key, gateway } = await startLimited();
  const watch = (signal: AbortSignal): Promise<Response> =>
    fetch(`${gateway.url}/admin/events`, { signal, headers: { authorization: `Bearer ${key}` } });
  // As many as one key may open.
  for (let n = 0; n < 8; n += 1) {
    relay.holds = (piece) => piece.includes(TAKE.sha);
    const client = new AbortController();
    const left = expect(watch(client.signal)).rejects.toThrow();
    await expect.poll(() => relay.held).toBe(1);
    client.abort();
    await left;
    await gateway.requestLine("/admin/events", n);
    relay.release();
  }
  const client = new AbortController();
  expect((await watch(client.signal)).status).toBe(200);
  client.abort();
});
