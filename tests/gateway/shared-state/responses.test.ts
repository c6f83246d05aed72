import { NotFoundError } from "openai";
import { beforeAll, expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { startFake, startGateway, type TestGateway } from "../../../test-support/gateway-harness.ts";
import { fetchRedis } from "../../../test-support/redis-server.ts";
import { environmentOf, startRedis, startShared, stateIs } from "../../../test-support/shared-gateways.ts";

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
