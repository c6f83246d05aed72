import { writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  errorOf,
  hello,
  startFake,
  startGateway,
  type TestGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import { postChat, fileOf } from "../../../test-support/gateway/key-requests.ts";
import { fetchRedis } from "../../../test-support/redis/redis-server.ts";
import { environmentOf, startRedis, stateIs } from "../../../test-support/gateway/shared-gateways.ts";

beforeAll(fetchRedis, 300_000);

/** Starts two gateways that share a key's limits in front of one server. */
async function startWithLimits(limits: string, environment: Record<string, string> = {}) {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const { key, line } = newKey("ada", limits.split(" "));
  const headers = { authorization: `Bearer ${key}` };
  const start = (): Promise<TestGateway> =>
    startGateway(server, {
      ...environmentOf(redis, [server]),
      OLLAMA_NUM_PARALLEL: "16",
      API_KEYS: line,
      ...environment,
    });
  const gateways = [await start(), await start()] as const;
  for (const gateway of gateways) await stateIs(gateway, "up");
  return { redis, server, gateways, key, headers, start };
}

const getModels = ({ url }: TestGateway, headers: Record<string, string>): Promise<Response> =>
  fetch(`${url}/v1/models`, { headers });

test("a key's requests per minute count across gateways", async () => {
  const { gateways, headers } = await startWithLimits("requests=1");
  const first = await getModels(gateways[0], headers);
  expect(first.status).toBe(200);
  expect(first.headers.get("x-ratelimit-remaining-requests")).toBe("0");
  const refused = await getModels(gateways[1], headers);
  expect(refused.status).toBe(429);
  expect((await errorOf(refused)).message).toContain("1 requests per minute");
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
});

test("two gateways admit only the key's limit of 20 simultaneous requests", async () => {
  const { gateways, headers } = await startWithLimits("requests=6");
  const began = performance.now();
  const responses = await Promise.all(
    Array.from({ length: 20 }, (_, n) => getModels(n % 2 === 0 ? gateways[0] : gateways[1], headers)),
  );
  const admitted = responses.filter(({ status }) => status === 200).length;
  expect(responses.filter(({ status }) => status === 429)).toHaveLength(20 - admitted);
  // One token is refilled every ten seconds.
  expect(admitted).toBeGreaterThanOrEqual(6);
  expect(admitted).toBeLessThanOrEqual(6 + (performance.now() - began) / 10_000);
});

test("a concurrent request counts on both gateways until its client disconnects", async () => {
  const { server, gateways, key } = await startWithLimits("concurrent=1");
  const [one, other] = gateways;
  server.respondTo(() => (server.received.length === 1 ? [token("x"), "hang"] : undefined));
  const client = new AbortController();
  const first = await postChat(
    one,
    key,
    { ...hello, stream: true },
    {
      signal: client.signal,
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    },
  );
  const refused = await postChat(other, key);
  expect(refused.status).toBe(429);
  expect((await errorOf(refused)).message).toContain("1 concurrent requests");
  client.abort();
  await first.text().catch(() => "");
  await expect.poll(async () => (await postChat(other, key)).status).toBe(200);
});

test("tokens counted by one gateway use up the limits and budgets on the other", async () => {
  for (const [limit, message] of [
    ["tokens=1000", "1000 tokens per minute"],
    ["tokens_per_day=1000", "1000 tokens per day"],
    ["tokens_per_month=1000", "1000 tokens per month"],
  ] as const) {
    const { server, gateways, key } = await startWithLimits(limit);
    server.respondWith(last({ prompt_eval_count: 500, eval_count: 1500 }));
    const first = await postChat(gateways[0], key, { ...hello, max_tokens: 5 });
    expect(first.status, limit).toBe(200);
    await first.text();
    await expect.poll(async () => (await postChat(gateways[1], key)).status, { message: limit }).toBe(429);
    expect((await errorOf(await postChat(gateways[1], key))).message).toContain(message);
  }
});

test("tokens reserved by a request on one gateway are unavailable on the other", async () => {
  const { server, gateways, key } = await startWithLimits("tokens_per_day=1000");
  server.respondTo(() => (server.received.length === 1 ? [token("x"), "hang"] : undefined));
  const first = await postChat(gateways[0], key, { ...hello, stream: true, max_tokens: 5000 });
  const refused = await postChat(gateways[1], key);
  expect(refused.status).toBe(429);
  expect((await errorOf(refused)).message).toContain("1000 tokens per day");
  await first.body?.cancel();
  await expect.poll(async () => (await postChat(gateways[1], key)).status).toBe(200);
});

test("restores to Redis the usage that it lost and the usage of its outage", async () => {
  const { redis, server, gateways, key } = await startWithLimits("tokens_per_day=1000");
  const [one, other] = gateways;
  server.respondWith(last({ prompt_eval_count: 100, eval_count: 500 }));
  await (await postChat(one, key, { ...hello, max_tokens: 5 })).text();
  const used = async (): Promise<number> =>
    Number(await redis.command("HGET", "ollama-stack:usage:ada", "d"));
  await expect.poll(used).toBe(600);
  await redis.kill();
  for (const gateway of gateways) await stateIs(gateway, "away");
  server.respondWith(last({ prompt_eval_count: 100, eval_count: 700 }));
  await (await postChat(one, key, { ...hello, max_tokens: 5 })).text();
  expect((await postChat(one, key)).status).toBe(429);
  await redis.run();
  for (const gateway of gateways) await stateIs(gateway, "up");
  await expect.poll(used).toBe(1400);
  expect((await postChat(other, key)).status).toBe(429);
});

test("keeps a key's usage for gateways started later, with an expiry", async () => {
  const { redis, server, gateways, key, start } = await startWithLimits("tokens_per_month=1000");
  server.respondWith(last({ prompt_eval_count: 500, eval_count: 1500 }));
  await (await postChat(gateways[0], key, { ...hello, max_tokens: 5 })).text();
  await expect.poll(async () => (await postChat(gateways[1], key)).status).toBe(429);
  const third = await start();
  await stateIs(third, "up");
  expect((await postChat(third, key)).status).toBe(429);
  expect(Number(await redis.command("PTTL", "ollama-stack:usage:ada"))).toBeGreaterThan(31 * 86_400_000);
});

test("a client that disconnects before Redis responds leaves no limit of its key in use", async () => {
  const { redis, gateways, key } = await startWithLimits("concurrent=1 tokens_per_day=100000");
  const [gateway] = gateways;
  redis.pause();
  const client = new AbortController();
  const init = {
    signal: client.signal,
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
  };
  const left = expect(postChat(gateway, key, hello, init)).rejects.toThrow();
  // When these return, the gateway has received the request sent before them.
  for (let n = 0; n < 3; n += 1) await (await fetch(`${gateway.url}/health`)).text();
  client.abort();
  await left;
  redis.resume();
  await expect.poll(async () => (await postChat(gateway, key)).status).toBe(200);
  const held = async (): Promise<string[]> =>
    ((await redis.command("HKEYS", "ollama-stack:usage:ada")) as string[]).filter((name) =>
      name.includes(":"),
    );
  await expect.poll(held).toEqual([]);
});

/** Starts two gateways that share a key's limits, which can be edited while they run. */
async function startEditable(limits: string) {
  const { key, line } = newKey("ada", limits.split(" "));
  const file = fileOf(line);
  const all = await startWithLimits(limits, { API_KEYS: "", API_KEYS_FILE: file });
  let edits = 0;
  const edit = async (...edited: string[]): Promise<void> => {
    edits += 1;
    writeFileSync(file, [line.split(" ").slice(0, 2).join(" "), ...edited].join(" "));
    for (const { log } of all.gateways)
      await expect
        .poll(() => log.filter((each) => each.includes("change-keys")), { timeout: 20_000 })
        .toHaveLength(edits);
  };
  /** The key's running requests and reserved tokens, summed over the gateways. */
  const counted = async (): Promise<{ running: number; reserved: number }> => {
    const fields = (await all.redis.command("HGETALL", "ollama-stack:usage:ada")) as string[];
    const sum = (kind: string): number =>
      fields.reduce((total, name, i) => total + (name.startsWith(kind) ? Number(fields[i + 1]) : 0), 0);
    return { running: sum("c:"), reserved: sum("v:") };
  };
  return { ...all, key, edit, counted };
}

test("counts a running request once through limit changes, and nothing after it has ended", async () => {
  const { server, gateways, key, edit, counted } = await startEditable("concurrent=2 tokens_per_day=100000");
  const [one, other] = gateways;
  const { promise: until, resolve: end } = Promise.withResolvers<undefined>();
  server.respondTo(() => (server.received.length === 2 ? [token("x"), { until }, last()] : undefined));
  await (await postChat(one, key)).text();
  await expect.poll(counted).toEqual({ running: 0, reserved: 0 });
  const first = await postChat(one, key, { ...hello, stream: true, max_tokens: 500 });
  const before = await counted();
  expect(before).toEqual({ running: 1, reserved: expect.any(Number) as number });
  for (const limit of [90_000, 80_000, 70_000]) {
    await edit("concurrent=2", `tokens_per_day=${limit}`);
    expect(await counted()).toEqual(before);
  }
  // Each gateway admits a second request.
  for (const gateway of [one, other]) {
    await expect.poll(async () => (await postChat(gateway, key)).status).toBe(200);
    await expect.poll(counted).toEqual(before);
  }
  end(undefined);
  await first.text();
  await expect.poll(counted).toEqual({ running: 0, reserved: 0 });
});

test("counts each running request once when a concurrency limit is added or removed", async () => {
  const { server, gateways, key, edit, counted } = await startEditable("requests=1000");
  const [one, other] = gateways;
  const { promise: until, resolve: end } = Promise.withResolvers<undefined>();
  server.respondTo(() => [token("x"), { until }, last()]);
  const stream = (gateway: TestGateway): Promise<Response> =>
    postChat(gateway, key, { ...hello, stream: true });
  const running = [await stream(one), await stream(other)];
  await edit("requests=1000", "concurrent=2");
  await expect.poll(async () => (await counted()).running).toBe(2);
  expect((await stream(other)).status).toBe(429);
  await edit("requests=1000");
  running.push(await stream(one));
  await edit("requests=1000", "concurrent=4");
  await expect.poll(async () => (await counted()).running).toBe(3);
  running.push(await stream(other));
  expect((await stream(one)).status).toBe(429);
  await edit("requests=1000");
  end(undefined);
  for (const each of running) await each.text();
  await expect.poll(async () => (await counted()).running).toBe(0);
});
