import { expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const spellings = [
  "m",
  "m:latest",
  "M",
  "library/m",
  "library/M:Latest",
  "registry.ollama.ai/library/m",
  "registry.ollama.ai/library/m:latest",
];

test.each(spellings)("'%s' names the same model in every request", async (model) => {
  const fake = await startFake();
  fake.loaded = [];
  const gateway = await startGateway(fake);
  const requests: [string, object][] = [
    ["/v1/chat/completions", { ...hello, model }],
    ["/v1/embeddings", { model, input: "Hi" }],
    ["/api/chat", { ...hello, model }],
    ["/api/generate", { model, prompt: "Hi" }],
    ["/api/embed", { model, input: "Hi" }],
    ["/api/show", { model }],
    ["/api/show", { name: model }],
  ];
  for (const [path, body] of requests) {
    expect([path, (await gateway.post(path, body)).status]).toEqual([path, 200]);
  }
  // The model is loaded once for all spellings.
  expect(fake.loads).toHaveLength(1);
  const found = await fetch(`${gateway.url}/v1/models/${model}`);
  expect(await found.json()).toMatchObject({ id: "m:latest" });
  expect((await fetch(`${gateway.url}/v1/models/${encodeURIComponent(model)}`)).status).toBe(200);
});

test.each(spellings)(
  "a key for '%s' may use the model in every spelling, and no other model",
  async (model) => {
    const { key, line } = newKey("ada", [`models=${model}`]);
    const fake = await startFake();
    fake.models = ["m:latest", "secret:latest"];
    const gateway = await startGateway(fake, { API_KEYS: line });
    const headers = { "content-type": "application/json", authorization: `Bearer ${key}` };
    for (const spelling of spellings) {
      const response = await gateway.post("/api/chat", { ...hello, model: spelling }, { headers });
      expect([spelling, response.status]).toEqual([spelling, 200]);
    }
    for (const secret of ["secret", "library/secret", "registry.ollama.ai/library/secret"]) {
      const response = await gateway.post("/api/chat", { ...hello, model: secret }, { headers });
      expect([secret, response.status]).toEqual([secret, 403]);
    }
  },
);

test("a model in another namespace is a different model", async () => {
  const gateway = await startGateway(await startFake());
  for (const model of ["ada/m", "hf.co/library/m", "registry.ollama.ai/m"]) {
    expect([model, (await gateway.post("/api/chat", { ...hello, model })).status]).toEqual([model, 404]);
  }
});
