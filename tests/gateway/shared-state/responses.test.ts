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

const request = { model: "m", input: "Hi" };

async function start(environment: Record<string, string> = {}) {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const [one, other] = (await startShared(2, redis, [server], { environment })) as [TestGateway, TestGateway];
  for (const gateway of [one, other]) await stateIs(gateway, "up");
  const responses = [one.openai.responses, other.openai.responses] as const;
  return { redis, server, one, other, responses };
}

/** Waits until a gateway can retrieve a response. */
async function untilStored({ openai }: TestGateway, id: string): Promise<void> {
  await expect
    .poll(() =>
      openai.responses.retrieve(id).then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
}

/** The message contents of the last request that a server received. */
function lastMessages(server: Awaited<ReturnType<typeof startFake>>): string[] {
  return server.received.at(-1)?.body.messages.map(({ content }) => content) ?? [];
}

test("retrieves, continues and deletes a response stored by another gateway", async () => {
  const { server, one, other, responses } = await start();
  const [here, there] = responses;
  const first = await here.create({ ...request, metadata: { a: "b" } });
  await untilStored(other, first.id);
  expect(await there.retrieve(first.id)).toMatchObject({
    id: first.id,
    output: first.output,
    metadata: { a: "b" },
  });

  const second = await there.create({ model: "m", input: "And?", previous_response_id: first.id });
  expect(lastMessages(server)).toEqual(["Hi", "Hello there.", "And?"]);
  await untilStored(one, second.id);
  await here.create({ model: "m", input: "Then?", previous_response_id: second.id });
  expect(lastMessages(server)).toEqual(["Hi", "Hello there.", "And?", "Hello there.", "Then?"]);
  const items = await here.inputItems.list(second.id);
  expect(items.data).toHaveLength(3);

  await here.delete(first.id);
  await expect(there.retrieve(first.id)).rejects.toThrow(NotFoundError);
  // The response that continues it still includes its messages.
  await there.create({ model: "m", input: "Well?", previous_response_id: second.id });
  expect(lastMessages(server).slice(0, 2)).toEqual(["Hi", "Hello there."]);
});

test("resolves a reference to an item stored by another gateway", async () => {
  const { server, other, responses } = await start();
  const first = await responses[0].create(request);
  await untilStored(other, first.id);
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

test("isolates the responses of keys on every gateway", async () => {
  const keys = ["ada", "bob"].map((name) => newKey(name, []));
  const API_KEYS = keys.map(({ line }) => line).join("\n");
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const environment = { ...environmentOf(redis, [server]), API_KEYS };
  const gateways = [
    await startGateway(server, environment),
    await startGateway(server, environment),
  ] as const;
  for (const gateway of gateways) await stateIs(gateway, "up");
  const responsesOf = (gateway: TestGateway, n: number) =>
    gateway.openai.withOptions({ apiKey: keys[n]?.key ?? "" }).responses;
  const { id } = await responsesOf(gateways[0], 0).create(request);
  await expect
    .poll(() =>
      responsesOf(gateways[1], 0)
        .retrieve(id)
        .then(
          () => true,
          () => false,
        ),
    )
    .toBe(true);
  await expect(responsesOf(gateways[1], 1).retrieve(id)).rejects.toThrow(NotFoundError);
  await expect(
    responsesOf(gateways[1], 1).create({ ...request, previous_response_id: id }),
  ).rejects.toMatchObject({
    code: "previous_response_not_found",
  });
});

test("evicts the oldest responses over the store's size limit, including all their keys", async () => {
  const { redis, other, responses } = await start({ RESPONSE_STORE_LIMIT_BYTES: "60000" });
  const ids: string[] = [];
  for (let n = 0; n < 16; n += 1) {
    const { id } = await responses[0].create({ model: "m", input: "x".repeat(1000) });
    ids.push(id);
    await untilStored(other, id);
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

test("retrieves and continues responses stored during a Redis outage on their own gateway, then and afterwards", async () => {
  const { redis, server, one, other, responses } = await start();
  const [here, there] = responses;
  const before = await here.create(request);
  await untilStored(other, before.id);
  await redis.kill();
  await stateIs(one, "away");
  const during = await here.create(request);
  expect(await here.retrieve(during.id)).toMatchObject({ id: during.id });
  await expect(here.create({ ...request, previous_response_id: before.id })).rejects.toMatchObject({
    code: "previous_response_not_found",
  });
  await redis.run();
  await stateIs(one, "up");
  await stateIs(other, "up");
  const after = await here.create({ model: "m", input: "And?", previous_response_id: during.id });
  expect(lastMessages(server)).toEqual(["Hi", "Hello there.", "And?"]);
  await untilStored(other, after.id);
  await there.create({ model: "m", input: "Then?", previous_response_id: after.id });
  expect(lastMessages(server)).toEqual(["Hi", "Hello there.", "And?", "Hello there.", "Then?"]);
});

test("keeps a conversation too large to share on its own gateway, where it can be continued", async () => {
  const { redis, server, one, other, responses } = await start();
  const [here, there] = responses;
  server.loaded = [{ name: "m:latest", context_length: 10_000_000 }];
  const first = await here.create({ model: "m", input: "x".repeat(3_000_000) });
  await untilStored(other, first.id);
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

test("slots and limits neither wait for a response being stored nor depend on it", async () => {
  const [redis, server] = await Promise.all([startRedis(), startFake()]);
  const relay = await RedisRelay.start(redis);
  const environment = { ...environmentOf(redis, [server]), SHARED_STATE: relay.url };
  const gateway = await startGateway(server, environment);
  await stateIs(gateway, "up");
  relay.holds = (piece) => piece.includes(PUT.sha);
  const { id } = await gateway.openai.responses.create(request);
  await expect.poll(() => relay.held).toBe(1);
  // On the same connection, this would wait a minute.
  expect((await gateway.post("/v1/chat/completions", hello)).status).toBe(200);
  relay.holds = () => false;
  relay.breakHeld();
  await untilStored(gateway, id);
  expect(await redis.command("KEYS", "ollama-stack:responses:response:*")).toEqual([]);
  const { id: next } = await gateway.openai.responses.create(request);
  await untilStored(gateway, next);
  expect(await redis.command("KEYS", "ollama-stack:responses:response:*")).toHaveLength(1);
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  expect(metrics).toContain("gateway_shared_state_up 1");
});

test.each(["Redis", "memory"])(
  "charges a retrieved response from %s to the body budget until its client has received it",
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
    await untilStored(reader, id);
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
    // The budget is released soon after the client has received the response.
    for (const path of paths)
      await expect.poll(async () => (await fetch(reader.url + path)).status).toBe(200);
    const secondRequest = { model: "m", messages: [{ role: "user", content }] };
    await expect
      .poll(async () => (await reader.post("/v1/chat/completions", secondRequest)).status)
      .toBe(200);
  },
);
