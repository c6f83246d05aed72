import { expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { errorOf, hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

async function startEmbedder(environment: Record<string, string> = {}) {
  const fake = await startFake();
  fake.capabilities = ["embedding"];
  fake.loaded = [];
  const gateway = await startGateway(fake, { POLL_INTERVAL_MS: "100", REQUIRED_MODELS: "m", ...environment });
  // A ready gateway knows the models.
  await expect.poll(async () => (await fetch(`${gateway.url}/ready`)).status, { timeout: 15_000 }).toBe(200);
  return { fake, gateway };
}

test.each([
  ["/v1/chat/completions", hello],
  ["/v1/chat/completions", { ...hello, stream: true }],
  ["/v1/completions", { model: "m", prompt: "Hi" }],
  ["/v1/responses", { model: "m", input: "Hi" }],
])("%s rejects a prompt for an embedding-only model without loading it", async (path, body) => {
  const { fake, gateway } = await startEmbedder();
  const response = await gateway.post(path, body);
  expect(response.status).toBe(400);
  expect(await errorOf(response)).toMatchObject({
    code: "invalid_value",
    param: "model",
    message: expect.stringContaining("/v1/embeddings") as string,
  });
  expect([fake.received, fake.loads]).toEqual([[], []]);
});

test.each([
  ["/api/chat", hello],
  ["/api/generate", { model: "m", prompt: "Hi" }],
  ["/v1/messages", { ...hello, max_tokens: 4 }],
])("%s rejects it in the API's error format", async (path, body) => {
  const { fake, gateway } = await startEmbedder();
  const response = await gateway.post(path, body);
  expect(response.status).toBe(400);
  expect(await response.text()).toContain("only embeds texts");
  expect(fake.loads).toEqual([]);
});

test("does not reveal what a model is to a key that may not use it", async () => {
  const { key, line } = newKey("ada", ["models=other"]);
  const { gateway } = await startEmbedder({ API_KEYS: line });
  const headers = { "content-type": "application/json", authorization: `Bearer ${key}` };
  const response = await gateway.post("/v1/chat/completions", hello, { headers });
  expect(response.status).toBe(403);
});

test("an embedding-only model embeds and can be unloaded", async () => {
  const { gateway } = await startEmbedder();
  expect((await gateway.post("/v1/embeddings", { model: "m", input: "Hi" })).status).toBe(200);
  expect((await gateway.post("/api/embed", { model: "m", input: "Hi" })).status).toBe(200);
  expect((await gateway.post("/api/generate", { model: "m", keep_alive: 0 })).status).toBe(200);
});

test.each([[["completion", "embedding"]], [["completion"]], [[]], [undefined]])(
  "sends prompts to a model with the capabilities %j",
  async (capabilities) => {
    const fake = await startFake();
    fake.capabilities = capabilities;
    const gateway = await startGateway(fake);
    expect((await gateway.post("/v1/chat/completions", hello)).status).toBe(200);
  },
);

test("fetches a model's capabilities once for many requests, and again after the model has changed", async () => {
  const { fake, gateway } = await startEmbedder();
  const shown = () => fake.queries.filter((path) => path === "/api/show").length;
  const statuses = async () => {
    const sent = Array.from({ length: 8 }, () => gateway.post("/v1/chat/completions", hello));
    return [...new Set((await Promise.all(sent)).map(({ status }) => status))];
  };
  expect(await statuses()).toEqual([400]);
  expect(await statuses()).toEqual([400]);
  expect(shown()).toBe(1);
  fake.digest = "changed";
  fake.capabilities = ["completion"];
  await expect.poll(statuses, { timeout: 30_000, interval: 200 }).toEqual([200]);
  expect(shown()).toBe(2);
});
