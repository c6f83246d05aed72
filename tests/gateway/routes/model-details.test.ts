import { expect, test } from "vitest";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

interface Listed {
  readonly data: readonly { readonly id: string; readonly context_length?: number }[];
}

const trained = (tokens: number) => ({ "general.architecture": "fake", "fake.context_length": tokens });

test("the list of models has what clients show of a model", async () => {
  const fake = await startFake();
  fake.models = ["m:latest", "ada/chat:1b"];
  fake.loaded = [];
  fake.modelInfo = trained(131_072);
  const { url } = await startGateway(fake);
  const { data } = (await (await fetch(`${url}/v1/models`)).json()) as Listed;
  const details = { context_length: 131_072, max_model_len: 131_072, capabilities: ["completion", "tools"] };
  const created = Date.parse("2025-01-02T03:04:05Z") / 1000;
  expect(data).toEqual([
    { id: "m:latest", object: "model", created, owned_by: "library", ...details },
    { id: "ada/chat:1b", object: "model", created, owned_by: "ada", ...details },
  ]);
  expect(await (await fetch(`${url}/v1/models/ada/chat:1b`)).json()).toEqual(data[1]);
});

test.each([
  ["as it is loaded", 8192, "num_ctx 16384", 8192],
  ["as its Modelfile says", undefined, "temperature 0.5\nnum_ctx                        16384", 16_384],
  ["as it was trained, when the Modelfile says more", undefined, "num_ctx 1000000", 131_072],
  ["as it was trained", undefined, undefined, 131_072],
])("a model's context is %s", async (_what, loaded, parameters, expected) => {
  const fake = await startFake();
  fake.modelInfo = trained(131_072);
  fake.parameters = parameters;
  fake.loaded = loaded === undefined ? [] : [{ name: "m:latest", context_length: loaded }];
  const { url } = await startGateway(fake);
  await expect.poll(async () => (await fetch(`${url}/ready`)).status, { timeout: 15_000 }).toBe(200);
  expect(await (await fetch(`${url}/v1/models/m`)).json()).toMatchObject({ context_length: expected });
});

test("what an older Ollama does not say is left out", async () => {
  const fake = await startFake();
  fake.capabilities = undefined;
  fake.loaded = [];
  const { url } = await startGateway(fake);
  const model = (await (await fetch(`${url}/v1/models/m`)).json()) as object;
  expect(Object.keys(model)).toEqual(["id", "object", "created", "owned_by"]);
});

test("each model is looked at once, however often they are listed", async () => {
  const fake = await startFake();
  fake.models = Array.from({ length: 40 }, (_none, index) => `m${index}:latest`);
  const { url } = await startGateway(fake);
  for (let listed = 0; listed < 3; listed += 1) {
    const { data } = (await (await fetch(`${url}/v1/models`)).json()) as Listed;
    expect(data.every((model) => "capabilities" in model)).toBe(true);
  }
  expect(fake.queries.filter((path) => path === "/api/show")).toHaveLength(40);
});

test("Ollama's own list and what it shows of a model come as they are, verbose ones too", async () => {
  const fake = await startFake();
  fake.modelInfo = trained(4096);
  const gateway = await startGateway(fake);
  const ollama = `http://127.0.0.1:${fake.port}`;
  const tags = await (await fetch(`${ollama}/api/tags`)).json();
  expect(await (await fetch(`${gateway.url}/api/tags`)).json()).toEqual(tags);
  const shown = await (await fetch(`${ollama}/api/show`, { method: "POST", body: '{"model":"m"}' })).json();
  for (const body of [{ model: "m" }, { name: "m" }, { model: "m", verbose: true }]) {
    expect(await (await gateway.post("/api/show", body)).json()).toEqual(shown);
  }
});
