import { NotFoundError } from "openai";
import { beforeAll, expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { PUT } from "../../../gateway/src/shared-state/response-scripts.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  errorOf,
  hello,
  startFake,
  startGateway,
  type TestGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import { RedisRelay } from "../../../test-support/redis/redis-relay.ts";
import { fetchRedis } from "../../../test-support/redis/redis-server.ts";
import {
  environmentOf,
  startRedis,
  startShared,
  stateIs,
} from "../../../test-support/gateway/shared-gateways.ts";

beforeAll(fetchRedis, 300_000);

const asked = { model: "m", input: "Hi" };

async function start(environment: Record<string, string> = {}) {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const [one, other] = (await startShared(2, redis, [server], { environment })) as [TestGateway, TestGateway];
  for (const gateway of [one, other]) await stateIs(gateway, "up");
  const responses = [one.openai.responses, other.openai.responses] as const;
  return { redis, server, one, other, responses };
}

/** Waits until the other gateway has a response. */
async function has({ openai }: TestGateway, id: string): Promise<void> {
  await expect
    .poll(() =>
      openai.responses.retrieve(id).then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
}

/** What a server got as the messages of its last request. */
function lastMessages(server: Awaited<ReturnType<typeof startFake>>): string[] {
  return server.received.at(-1)?.body.messages.map(({ content }) => content) ?? [];
}

test("a response that one gateway stored is read, continued and deleted through the other", async () => {
  const { server, one, other, responses } = await start();
  const [here, there] = responses;
  const first = await here.create({ ...asked, metadata: { a: "b" } });
  await has(other, first.id);
  expect(await there.retrieve(first.id)).toMatchObject({
    id: first.id,
    output: first.output,
    metadata: { a: "b" },
  });

  const second = await there.create({ model: "m", input: "And?", previous_response_id: first.id });
  expect(lastMessages(server)).toEqual(["Hi", "Hello there.", "And?"]);
  await has(one, second.id);
  await here.create({ model: "m", input: "Then?", previous_response_id: second.id });
  expect(lastMessages(server)).toEqual(["Hi", "Hello there.", "And?", "Hello there.", "Then?"]);
  const items = await here.inputItems.list(second.id);
  expect(items.data).toHaveLength(3);

  await here.delete(first.id);
  await expect(there.retrieve(first.id)).rejects.toThrow(NotFoundError);
  // What continues it still has it.
  await there.create({ model: "m", input: "Well?", previous_response_id: second.id });
  expect(lastMessages(server).slice(0, 2)).toEqual(["Hi", "Hello there."]);
});

test("an item that one gateway stored is referred to through the other", async () => {
  const { server, other, responses } = await start();
  const first = await responses[0].create(asked);
  await has(other, first.id);
  const id = first.output[0]?.id ?? "";
  await responses[1].create({
    model: "m",
    input: [
      { type: "item_reference", id },
      { role: "user", content: "Again" },
    ],
  });
  expect(lastMessages(server)).toEqual(["Hello there.", "Again"]);
});

test("a response is its key's own with every gateway", async () => {
  const keys = ["ada", "bob"].map((name) => newKey(name, []));
  const API_KEYS = keys.map(({ line }) => line).join("\n");
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const environment = { ...environmentOf(redis, [server]), API_KEYS };
  const gateways = [
    await startGateway(server, environment),
    await startGateway(server, environment),
  ] as const;
  for (const gateway of gateways) await stateIs(gateway, "up");
  const of = (gateway: TestGateway, n: number) =>
    gateway.openai.withOptions({ apiKey: keys[n]?.key ?? "" }).responses;
  const { id } = await of(gateways[0], 0).create(asked);
  await expect
    .poll(() =>
      of(gateways[1], 0)
        .retrieve(id)
        .then(
          () => true,
          () => false,
        ),
    )
    .toBe(true);
  await expect(of(gateways[1], 1).retrieve(id)).rejects.toThrow(NotFoundError);
  await expect(of(gateways[1], 1).create({ ...asked, previous_response_id: id })).rejects.toMatchObject({
    code: "previous_response_not_found",
  });
});

test("the oldest responses go when all together take more than they may, and nothing is left of them", async () => {
  const { redis, other, responses } = await start({ RESPONSE_STORE_LIMIT_BYTES: "60000" });
  const ids: string[] = [];
  for (let n = 0; n < 16; n += 1) {
    const { id } = await responses[0].create({ model: "m", input: "x".repeat(1000) });
    ids.push(id);
    await has(other, id);
  }
  await expect(responses[1].retrieve(ids[0] ?? "")).rejects.toThrow(NotFoundError);
  expect(Number(await redis.command("GET", "ollama-stack:responses:bytes"))).toBeLessThanOrEqual(60_000);
  const kept = (await redis.command("KEYS", "ollama-stack:responses:response:*")) as string[];
  expect(kept.length).toBeLessThan(16);
  expect(kept.length).toBeGreaterThan(2);
  expect(await redis.command("KEYS", "ollama-stack:responses:item:*")).toHaveLength(kept.length);
  for (const key of (await redis.command("KEYS", "ollama-stack:responses:*")) as string[])
    expect(Number(await redis.command("PTTL", key)), key).toBeGreaterThan(0);
  for (const id of ids) await responses[1].delete(id).catch(() => undefined);
  expect(await redis.command("KEYS", "ollama-stack:responses:response:*")).toEqual([]);
  expect(await redis.command("GET", "ollama-stack:responses:bytes")).toBe("0");
  expect(await redis.command("KEYS", "ollama-stack:responses:owners")).toEqual([]);
});

test("what is stored while Redis is away is read and continued with its own gateway, then and when it is back", async () => {
  const { redis, server, one, other, responses } = await start();
  const [here, there] = responses;
  const before = await here.create(asked);
  await has(other, before.id);
  await redis.kill();
  await stateIs(one, "away");
  const during = await here.create(asked);
  expect(await here.retrieve(during.id)).toMatchObject({ id: during.id });
  await expect(here.create({ ...asked, previous_response_id: before.id })).rejects.toMatchObject({
    code: "previous_response_not_found",
  });
  await redis.run();
  await stateIs(one, "up");
  await stateIs(other, "up");
  const after = await here.create({ model: "m", input: "And?", previous_response_id: during.id });
  expect(lastMessages(server)).toEqual(["Hi", "Hello there.", "And?"]);
  await has(other, after.id);
  await there.create({ model: "m", input: "Then?", previous_response_id: after.id });
  expect(lastMessages(server)).toEqual(["Hi", "Hello there.", "And?", "Hello there.", "Then?"]);
});

test("a conversation that is too large to be shared stays with its gateway, where it goes on", async () => {
  const { redis, server, one, other, responses } = await start();
  const [here, there] = responses;
  server.loaded = [{ name: "m:latest", context_length: 10_000_000 }];
  const first = await here.create({ model: "m", input: "x".repeat(3_000_000) });
  await has(other, first.id);
  const second = await there.create({
    model: "m",
    input: "y".repeat(3_000_000),
    previous_response_id: first.id,
  });
  expect(lastMessages(server).map(({ length }) => length)).toEqual([3_000_000, 12, 3_000_000]);
  expect(await there.retrieve(second.id)).toMatchObject({ id: second.id, output: second.output });
  await expect(here.retrieve(second.id)).rejects.toThrow(NotFoundError);
  await there.create({ model: "m", input: "Then?", previous_response_id: second.id });
  expect(lastMessages(server).map(({ length }) => length)).toEqual([3_000_000, 12, 3_000_000, 12, 5]);
  expect(await redis.command("KEYS", "ollama-stack:responses:response:*")).toHaveLength(1);
  for (const gateway of [one, other]) await stateIs(gateway, "up");
});

test("slots and limits do not wait for a response that is on its way to Redis, nor depend on it", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const relay = await RedisRelay.start(redis);
  const environment = { ...environmentOf(redis, [server]), SHARED_STATE: relay.url };
  const gateway = await startGateway(server, environment);
  await stateIs(gateway, "up");
  relay.holds = (piece) => piece.includes(PUT.sha);
  const { id } = await gateway.openai.responses.create(asked);
  await expect.poll(() => relay.held).toBe(1);
  // On the same connection, it would wait a minute.
  expect((await gateway.post("/v1/chat/completions", hello)).status).toBe(200);
  relay.holds = () => false;
  relay.breakHeld();
  await has(gateway, id);
  expect(await redis.command("KEYS", "ollama-stack:responses:response:*")).toEqual([]);
  const { id: next } = await gateway.openai.responses.create(asked);
  await has(gateway, next);
  expect(await redis.command("KEYS", "ollama-stack:responses:response:*")).toHaveLength(1);
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  expect(metrics).toContain("gateway_shared_state_up 1");
});

test.each(["Redis", "memory"])(
  "a response in %s that is looked up counts with the bodies until its client has it",
  async (place) => {
    const [redis, server] = await Promise.all([startRedis(), startFake()]);
    const environment = {
      BODIES_LIMIT_BYTES: "262144",
      BODY_LIMIT_BYTES: "262144",
      OLLAMA_NUM_PARALLEL: "1",
      ...(place === "Redis" ? environmentOf(redis, [server]) : {}),
    };
    const writer = await startGateway(server, environment);
    const reader = place === "Redis" ? await startGateway(server, environment) : writer;
    if (place === "Redis") for (const gateway of [writer, reader]) await stateIs(gateway, "up");
    const { id } = await writer.openai.responses.create({ model: "m", input: "x".repeat(100_000) });
    await has(reader, id);
    const { promise: until, resolve: end } = Promise.withResolvers<undefined>();
    server.respondWith({ until }, token("x"), last());
    const content = "x".repeat(200_000);
    const held = reader.post("/v1/chat/completions", { model: "m", messages: [{ role: "user", content }] });
    await server.conversation(1);
    const paths = [`/v1/responses/${id}`, `/v1/responses/${id}/input_items`];
    for (const path of paths) {
      const refused = await fetch(reader.url + path);
      expect(refused.status).toBe(503);
      expect((await errorOf(refused)).code).toBe("bodies_full");
    }
    end(undefined);
    await (await held).text();
    // What was held is free soon after its client has it.
    for (const path of paths)
      await expect.poll(async () => (await fetch(reader.url + path)).status).toBe(200);
    const again = { model: "m", messages: [{ role: "user", content }] };
    await expect.poll(async () => (await reader.post("/v1/chat/completions", again)).status).toBe(200);
  },
);
