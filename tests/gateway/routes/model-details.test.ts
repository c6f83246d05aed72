import { expect, test } from "vitest";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

interface ModelList {
  readonly data: readonly { readonly id: string; readonly context_length?: number }[];
}

const trainedFor = (tokens: number) => ({ "general.architecture": "fake", "fake.context_length": tokens });

test("the model list contains the details that clients show", async () => {
  const fake = await startFake();
  fake.models = ["m:latest", "ada/chat:1b"];
  fake.loaded = [];
  fake.modelInfo = trainedFor(131_072);
  const { url } = await startGateway(fake);
  const { data } = (await (await fetch(`${url}/v1/models`)).json()) as ModelList;
  const details = { context_length: 131_072, max_model_len: 131_072, capabilities: ["completion", "tools"] };
  const created = Date.parse("2025-01-02T03:04:05Z") / 1000;
  expect(data).toEqual([
    { id: "m:latest", object: "model", created, owned_by: "library", ...details },
    { id: "ada/chat:1b", object: "model", created, owned_by: "ada", ...details },
  ]);
  expect(await (await fetch(`${url}/v1/models/ada/chat:1b`)).json()).toEqual(data[1]);
});

test.each([
  ["the loaded one", 8192, "num_ctx 16384", 8192],
  ["the one in its Modelfile", undefined, "temperature 0.5\nnum_ctx                        16384", 16_384],
  ["the trained one, if the Modelfile exceeds it", undefined, "num_ctx 1000000", 131_072],
  ["the trained one", undefined, undefined, 131_072],
])("a model's context length is %s", async (_source, loaded, parameters, expected) => {
  const fake = await startFake();
  fake.modelInfo = trainedFor(131_072);
  fake.parameters = parameters;
  fake.loaded = loaded === undefined ? [] : [{ name: "m:latest", context_length: loaded }];
  const { url } = await startGateway(fake);
  await expect.poll(async () => (await fetch(`${url}/ready`)).status, { timeout: 15_000 }).toBe(200);
  expect(await (await fetch(`${url}/v1/models/m`)).json()).toMatchObject({ context_length: expected });
});

test("omits details that an older Ollama does not report", async () => {
  const fake = await startFake();
  fake.capabilities = undefined;
  fake.loaded = [];
  const { url } = await startGateway(fake);
  const model = (await (await fetch(`${url}/v1/models/m`)).json()) as object;
  expect(Object.keys(model)).toEqual(["id", "object", "created", "owned_by"]);
});

test("requests each model's details once, however often models are listed", async () => {
  const fake = await startFake();
  fake.models = Array.from({ length: 40 }, (_none, index) => `m${index}:latest`);
  const { url } = await startGateway(fake);
  for (let round = 0; round < 3; round += 1) {
    const { data } = (await (await fetch(`${url}/v1/models`)).json()) as ModelList;
    expect(data.every((model) => "capabilities" in model)).toBe(true);
  }
  expect(fake.queries.filter((path) => path === "/api/show")).toHaveLength(40);
});

test("returns Ollama's own model list and details unchanged, including verbose ones", async () => {
  const fake = await startFake();
  fake.modelInfo = trainedFor(4096);
  const gateway = await startGateway(fake);
  const ollama = `http://127.0.0.1:${fake.port}`;
  const tags = await (await fetch(`${ollama}/api/tags`)).json();
  expect(await (await fetch(`${gateway.url}/api/tags`)).json()).toEqual(tags);
  const shown = await (await fetch(`${ollama}/api/show`, { method: "POST", body: '{"model":"m"}' })).json();
  for (const body of [{ model: "m" }, { name: "m" }, { model: "m", verbose: true }]) {
    expect(await (await gateway.post("/api/show", body)).json()).toEqual(shown);
  }
});

test("a request for details ends at Ollama when its client disconnects", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  fake.showAfter = new Promise(() => undefined);
  const leaving = new AbortController();
  const body = { model: "m", verbose: true };
  const shown = gateway.post("/api/show", body, { signal: leaving.signal });
  await fake.begun("/api/show");
  expect(fake.disconnects).toEqual([]);
  leaving.abort();
  await expect(shown).rejects.toThrow("abort");
  await expect.poll(() => fake.disconnects).toEqual(["/api/show"]);
});
