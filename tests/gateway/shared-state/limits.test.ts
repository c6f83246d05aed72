import { beforeAll, expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { last, token } from "../../../test-support/fake-ollama.ts";
import {
  errorOf,
  hello,
  startFake,
  startGateway,
  type TestGateway,
} from "../../../test-support/gateway-harness.ts";
import { ask } from "../../../test-support/key-requests.ts";
import { fetchRedis } from "../../../test-support/redis-server.ts";
import { environmentOf, startRedis, stateIs } from "../../../test-support/shared-gateways.ts";

beforeAll(fetchRedis, 300_000);

/** Two gateways that share the limits of a key, before one server. */
async function limited(limits: string, environment: Record<string, string> = {}) {
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

const models = ({ url }: TestGateway, headers: Record<string, string>): Promise<Response> =>
  fetch(`${url}/v1/models`, { headers });

test("a key has its requests a minute once, not once with each gateway", async () => {
  const { gateways, headers } = await limited("requests=1");
  const first = await models(gateways[0], headers);
  expect(first.status).toBe(200);
  expect(first.headers.get("x-ratelimit-remaining-requests")).toBe("0");
  const refused = await models(gateways[1], headers);
  expect(refused.status).toBe(429);
  expect((await errorOf(refused)).message).toContain("1 requests per minute");
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
});

test("of 20 requests that come to two gateways at once, as many are let in as the key may send", async () => {
  const { gateways, headers } = await limited("requests=6");
  const began = performance.now();
  const responses = await Promise.all(
    Array.from({ length: 20 }, (_, n) => models(n % 2 === 0 ? gateways[0] : gateways[1], headers)),
  );
  const letIn = responses.filter(({ status }) => status === 200).length;
  expect(responses.filter(({ status }) => status === 429)).toHaveLength(20 - letIn);
  // One comes back every ten seconds.
  expect(letIn).toBeGreaterThanOrEqual(6);
  expect(letIn).toBeLessThanOrEqual(6 + (performance.now() - began) / 10_000);
});

test("a request at once with one gateway is one with the other, until it ends or its client leaves", async () => {
  const { server, gateways, key } = await limited("concurrent=1");
  const [one, other] = gateways;
  server.answersEach(() => (server.received.length === 1 ? [token("x"), "hang"] : undefined));
  const client = new AbortController();
  const first = await ask(
    one,
    key,
    { ...hello, stream: true },
    {
      signal: client.signal,
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    },
  );
  const refused = await ask(other, key);
  expect(refused.status).toBe(429);
  expect((await errorOf(refused)).message).toContain("1 requests at once");
  client.abort();
  await first.text().catch(() => "");
  await expect.poll(async () => (await ask(other, key)).status).toBe(200);
});

test("tokens that one gateway counted use up the limit and the budget of the day with the other", async () => {
  for (const [limit, words] of [
    ["tokens=1000", "1000 tokens per minute"],
    ["tokens_per_day=1000", "1000 tokens per day"],
    ["tokens_per_month=1000", "1000 tokens per month"],
  ] as const) {
    const { server, gateways, key } = await limited(limit);
    server.answers(last({ prompt_eval_count: 500, eval_count: 1500 }));
    const first = await ask(gateways[0], key, { ...hello, max_tokens: 5 });
    expect(first.status, limit).toBe(200);
    await first.text();
    await expect.poll(async () => (await ask(gateways[1], key)).status, { message: limit }).toBe(429);
    expect((await errorOf(await ask(gateways[1], key))).message).toContain(words);
  }
});

test("tokens that a request set aside with one gateway cannot be taken with the other", async () => {
  const { server, gateways, key } = await limited("tokens_per_day=1000");
  server.answersEach(() => (server.received.length === 1 ? [token("x"), "hang"] : undefined));
  const first = await ask(gateways[0], key, { ...hello, stream: true, max_tokens: 5000 });
  const refused = await ask(gateways[1], key);
  expect(refused.status).toBe(429);
  expect((await errorOf(refused)).message).toContain("1000 tokens per day");
  await first.body?.cancel();
  await expect.poll(async () => (await ask(gateways[1], key)).status).toBe(200);
});

test("what was used while Redis was away counts when it is back, and what Redis lost is told to it again", async () => {
  const { redis, server, gateways, key } = await limited("tokens_per_day=1000");
  const [one, other] = gateways;
  server.answers(last({ prompt_eval_count: 100, eval_count: 500 }));
  await (await ask(one, key, { ...hello, max_tokens: 5 })).text();
  const used = async (): Promise<number> =>
    Number(await redis.command("HGET", "ollama-stack:usage:ada", "d"));
  await expect.poll(used).toBe(600);
  await redis.kill();
  for (const gateway of gateways) await stateIs(gateway, "away");
  server.answers(last({ prompt_eval_count: 100, eval_count: 700 }));
  await (await ask(one, key, { ...hello, max_tokens: 5 })).text();
  expect((await ask(one, key)).status).toBe(429);
  await redis.run();
  for (const gateway of gateways) await stateIs(gateway, "up");
  await expect.poll(used).toBe(1400);
  expect((await ask(other, key)).status).toBe(429);
});

test("what keys have used is kept for a gateway that comes later, and ends by itself", async () => {
  const { redis, server, gateways, key, start } = await limited("tokens_per_month=1000");
  server.answers(last({ prompt_eval_count: 500, eval_count: 1500 }));
  await (await ask(gateways[0], key, { ...hello, max_tokens: 5 })).text();
  await expect.poll(async () => (await ask(gateways[1], key)).status).toBe(429);
  const third = await start();
  await stateIs(third, "up");
  expect((await ask(third, key)).status).toBe(429);
  expect(Number(await redis.command("PTTL", "ollama-stack:usage:ada"))).toBeGreaterThan(31 * 86_400_000);
});

test("a client that leaves while Redis has not responded keeps nothing of its key's limits", async () => {
  const { redis, gateways, key } = await limited("concurrent=1 tokens_per_day=100000");
  const [gateway] = gateways;
  redis.pause();
  const client = new AbortController();
  const init = {
    signal: client.signal,
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
  };
  const left = expect(ask(gateway, key, hello, init)).rejects.toThrow();
  // What was sent before these is there when they are answered.
  for (let n = 0; n < 3; n += 1) await (await fetch(`${gateway.url}/health`)).text();
  client.abort();
  await left;
  redis.resume();
  await expect.poll(async () => (await ask(gateway, key)).status).toBe(200);
  const held = async (): Promise<string[]> =>
    ((await redis.command("HKEYS", "ollama-stack:usage:ada")) as string[]).filter((name) =>
      name.includes(":"),
    );
  await expect.poll(held).toEqual([]);
});
