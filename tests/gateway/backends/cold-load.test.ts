import { expect, test } from "vitest";
import type { FakeOllama } from "../../../test-support/fakes/ollama/fake-ollama.ts";
import { last } from "../../../test-support/fakes/ollama/steps.ts";
import {
  errorOf,
  eventually,
  hello,
  loadOfTwoComments,
  metric,
  readEvents,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import { startTwo } from "../../../test-support/gateway/two-backends.ts";

const chat = "/v1/chat/completions";
const streamed = { ...hello, stream: true };

test("loads a cold model once for all requests that wait for it", async () => {
  const fake = await startFake();
  fake.loaded = [];
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.loadsWith({ until: released });
  const gateway = await startGateway(fake, { OLLAMA_NUM_PARALLEL: "1" });
  const responses = [hello, streamed, hello].map((body) => gateway.post(chat, { ...body, keep_alive: "7m" }));
  const load = await fake.load();
  await metric(gateway.url, "gateway_queue_depth 3");
  await metric(gateway.url, "gateway_loads_under_way 1");
  expect(load.body).toEqual({ model: "m", messages: [], stream: false, keep_alive: "7m" });
  expect(fake.received).toHaveLength(0);
  release(undefined);
  for (const response of await Promise.all(responses)) {
    expect(response.status).toBe(200);
    await response.text();
  }
  expect(fake.loads).toHaveLength(1);
  expect(fake.received).toHaveLength(3);
  await metric(
    gateway.url,
    'gateway_model_load_duration_seconds_count{gen_ai_request_model="m:latest",error_type=""} 1',
  );
});

test("clients that disconnect do not abort the load, and the next one finds the model loaded", async () => {
  const fake = await startFake();
  fake.loaded = [];
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.loadsWith({ until: released });
  const gateway = await startGateway(fake);
  const client = new AbortController();
  const { signal } = client;
  const aborted = [hello, streamed].map((body) =>
    expect(gateway.post(chat, body, { signal })).rejects.toThrow(),
  );
  const load = await fake.load();
  await metric(gateway.url, "gateway_queue_depth 2");
  client.abort();
  await Promise.all(aborted);
  await metric(gateway.url, "gateway_queue_depth 0");
  release(undefined);
  expect(await load.brokenOff).toBe(false);
  expect((await gateway.post(chat, hello)).status).toBe(200);
  expect(fake.loads).toHaveLength(1);
  expect(fake.received).toHaveLength(1);
});

test("a stream that waits for a load gets comments, so that proxies keep it open", async () => {
  const fake = await startFake();
  fake.loaded = [];
  const { load, seen } = loadOfTwoComments();
  fake.loadsWith({ waitMs: 100 }, load);
  const gateway = await startGateway(fake, { LOADING_COMMENT_MS: "30" });
  const { data } = await readEvents(await gateway.post(chat, streamed), seen);
  expect(data.filter((event) => event === ": loading").length).toBeGreaterThan(1);
  expect(data.at(-1)).toBe("[DONE]");
  const line = await gateway.requestLine(chat);
  expect(line["load_ms"]).toBeGreaterThan(90);
  // The load time does not count as queue time.
  expect(line["queue_ms"]).toBeLessThan(line["load_ms"] as number);
});

test("reports a failed load to all waiting requests, with a status or an event of the stream", async () => {
  const fake = await startFake();
  fake.loaded = [];
  fake.loadsWith({ waitMs: 100 }, { status: 500, body: '{"error":"model requires more system memory"}' });
  const gateway = await startGateway(fake, { LOADING_COMMENT_MS: "30" });
  const [buffered, stream] = await Promise.all([gateway.post(chat, hello), gateway.post(chat, streamed)]);
  expect(buffered.status).toBe(502);
  expect((await errorOf(buffered)).message).toContain("model requires more system memory");
  const { data, brokenOff } = await readEvents(stream);
  expect(data.at(-1)).toContain("model requires more system memory");
  expect(brokenOff).toBe(true);
  expect(fake.loads).toHaveLength(1);
  expect(fake.received).toHaveLength(0);
});

test("aborts a load that times out and fails all waiting requests with 504", async () => {
  const fake = await startFake();
  fake.loaded = [];
  fake.loadsWith("hang");
  const gateway = await startGateway(fake, { LOAD_TIMEOUT_MS: "100", QUEUE_TIMEOUT_MS: "30" });
  const responses = await Promise.all([gateway.post(chat, hello), gateway.post(chat, streamed)]);
  for (const response of responses) {
    expect(response.status).toBe(504);
    expect((await errorOf(response)).code).toBe("load_timeout");
  }
  expect(await (await fake.load()).brokenOff).toBe(true);
});

test("loads the model again before a request with a larger context", async () => {
  const fake = await startFake();
  fake.loaded = [{ name: "m:latest", context_length: 4096 }];
  const gateway = await startGateway(fake);
  const send = async (context: number): Promise<void> => {
    await (await gateway.post(chat, { ...hello, num_ctx: context })).text();
  };
  await send(4096);
  expect(fake.loads).toHaveLength(0);
  await Promise.all([send(8192), send(8192)]);
  expect(fake.loads.map(({ body }) => body.options)).toEqual([{ num_ctx: 8192 }]);
});

test("loads a model again after a request has unloaded it", async () => {
  const fake = await startFake();
  fake.loaded = [];
  const gateway = await startGateway(fake);
  for (const body of [{ ...hello, keep_alive: 0 }, hello]) {
    expect((await gateway.post(chat, body)).status).toBe(200);
  }
  expect(fake.loads.map(({ body }) => "keep_alive" in body)).toEqual([false, false]);
});

test("loads a model again after a short keep_alive has expired", async () => {
  const fake = await startFake();
  fake.loaded = [{ name: "m:latest" }];
  // The next poll would come too late.
  const gateway = await startGateway(fake, { POLL_INTERVAL_MS: "60000" });
  const send = async (more: object): Promise<number> =>
    (await gateway.post(chat, { ...hello, ...more })).status;
  expect(await send({ keep_alive: "1m" })).toBe(200);
  expect(await send({})).toBe(200);
  expect(fake.loads).toHaveLength(0);
  expect(await send({ keep_alive: "0h0.2s100ms" })).toBe(200);
  // Ollama keeps the last keep_alive.
  expect(await send({})).toBe(200);
  expect(fake.loads).toHaveLength(0);
  await new Promise((resolve) => setTimeout(resolve, 320));
  expect(await send({})).toBe(200);
  expect(fake.loads).toHaveLength(1);
  expect(await send({ keep_alive: 0 })).toBe(200);
  expect(fake.loads).toHaveLength(1);
  expect(await send({ keep_alive: 0.001 })).toBe(200);
  expect(fake.loads.map(({ body }) => "keep_alive" in body)).toEqual([false, false]);
});

test("loads a model that was replaced by another with the same name", async () => {
  const fake = await startFake();
  fake.loaded = [{ name: "m:latest", digest: "of before" }];
  const gateway = await startGateway(fake);
  expect((await gateway.post(chat, hello)).status).toBe(200);
  expect(fake.loads).toHaveLength(1);
});

test("treats an expired model as not loaded, by the server's clock", async () => {
  const fake = await startFake();
  fake.loaded = [{ name: "m:latest", expires_at: new Date(Date.now() - 5).toISOString() }];
  const gateway = await startGateway(fake);
  expect((await gateway.post(chat, hello)).status).toBe(200);
  expect(fake.loads).toHaveLength(1);
});

test("a request that waits for a load does not occupy a slot", async () => {
  const fake = await startFake();
  fake.models = ["m:latest", "cold:1b"];
  fake.loaded = [{ name: "m:latest" }];
  fake.respondWith(last({ message: { content: "x" } }));
  const gateway = await startGateway(fake, { OLLAMA_NUM_PARALLEL: "1" });
  // Now the gateway knows what is loaded.
  expect((await gateway.post(chat, hello)).status).toBe(200);
  const loads = fake.loads.length;
  fake.loadsWith("hang");
  const client = new AbortController();
  const cold = expect(
    gateway.post(chat, { ...hello, model: "cold:1b" }, { signal: client.signal }),
  ).rejects.toThrow();
  await fake.load(loads);
  expect((await gateway.post(chat, hello)).status).toBe(200);
  client.abort();
  await cold;
});

test("loads the model of an embedding request with an embedding request", async () => {
  const fake = await startFake();
  fake.loaded = [];
  const gateway = await startGateway(fake);
  expect((await gateway.post("/v1/embeddings", { model: "m", input: "Hi" })).status).toBe(200);
  expect(fake.loads.map(({ path, body }) => [path, body])).toEqual([
    ["/api/embed", { model: "m", input: [], stream: false }],
  ]);
  await eventually(() => (fake.received.length === 1 ? true : undefined));
});

test("preloads a model from KEEP_LOADED_MODELS, and again after a restart of the server", async () => {
  const fake = await startFake();
  fake.loaded = [];
  await startGateway(fake, { KEEP_LOADED_MODELS: "m", POLL_INTERVAL_MS: "20" });
  expect((await fake.load()).body).toEqual({ model: "m", stream: false, keep_alive: -1 });
  await eventually(() => fake.loaded?.length === 1 || undefined);
  expect(fake.loads).toHaveLength(1);
  fake.loaded = [];
  await eventually(() => fake.loads.length === 2 || undefined);
});

test("preloads models on all servers in parallel", async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  const two = await startTwo(
    (...fakes) => {
      for (const fake of fakes) {
        fake.loaded = [];
        fake.loadsWith({ until: released });
      }
    },
    { KEEP_LOADED_MODELS: "m" },
  );
  const { left, right } = two;
  await eventually(() => (left.loads.length === 1 && right.loads.length === 1 ? true : undefined));
  await metric(two.gateway.url, "gateway_loads_under_way 2");
  release(undefined);
  await metric(two.gateway.url, "gateway_loads_under_way 0");
  expect((await two.gateway.post(chat, hello)).status).toBe(200);
  expect([left.loads.length, right.loads.length]).toEqual([1, 1]);
});

test("preloads an embedding-only model with an embedding request, the only kind that Ollama accepts", async () => {
  const fake = await startFake();
  fake.capabilities = ["embedding"];
  fake.loaded = [];
  await startGateway(fake, { KEEP_LOADED_MODELS: "m", POLL_INTERVAL_MS: "20" });
  const { path, body } = await fake.load();
  expect([path, body]).toEqual(["/api/embed", { model: "m", input: [], stream: false, keep_alive: -1 }]);
  await eventually(() => fake.loaded?.length === 1 || undefined);
});

test("a request that finds a model of KEEP_LOADED_MODELS not loaded preloads it", async () => {
  const fake = await startFake();
  fake.models = [];
  fake.loaded = [];
  const gateway = await startGateway(fake, { KEEP_LOADED_MODELS: "m", POLL_INTERVAL_MS: "60000" });
  // The model is installed between two polls, so the request is the first to need the load.
  fake.models = ["m:latest"];
  expect((await gateway.post(chat, hello)).status).toBe(200);
  expect(fake.loads.map(({ body }) => body.keep_alive)).toEqual([-1]);
});

test("does not reload a model of KEEP_LOADED_MODELS that a client has loaded with another context", async () => {
  const fake = await startFake();
  fake.loaded = [];
  const gateway = await startGateway(fake, { KEEP_LOADED_MODELS: "m", POLL_INTERVAL_MS: "20" });
  await eventually(() => fake.loaded?.length === 1 || undefined);
  for (let request = 0; request < 2; request++) {
    await (await gateway.post(chat, { ...hello, num_ctx: 512 })).text();
    await waitForPolls(fake, 3);
  }
  expect(fake.loads.map(({ body }) => [body.options, body.keep_alive])).toEqual([
    [undefined, -1],
    [{ num_ctx: 512 }, -1],
  ]);
});

test("does not report the context of a later load for a prompt that was too long", async () => {
  const fake = await startFake();
  fake.loaded = [];
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.respondWith(
    { until: released },
    { status: 400, body: '{"error":"the input length exceeds the context length"}' },
  );
  const gateway = await startGateway(fake, { POLL_INTERVAL_MS: "20" });
  const response = gateway.post(chat, { ...hello, num_ctx: 512 });
  await fake.conversation();
  fake.loaded = [{ name: "m:latest", context_length: 4096 }];
  await waitForPolls(fake, 3);
  release(undefined);
  const { code, message } = await errorOf(await response);
  expect(code).toBe("context_length_exceeded");
  expect(message).not.toMatch(/4096|4097/);
});

/** Waits until the gateway has polled the loaded models this many more times. */
async function waitForPolls(fake: FakeOllama, times: number): Promise<void> {
  const polls = (): number => fake.queries.filter((path) => path === "/api/ps").length;
  const before = polls();
  await eventually(() => polls() >= before + times || undefined);
}
