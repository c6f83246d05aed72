import { expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import type { FakeOllama } from "../../../test-support/fakes/ollama/fake-ollama.ts";
import { errorOf, hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

type Send = (path: string, body: object) => Promise<Response>;

/** Starts a gateway with an ordinary and an admin key. */
async function startWithKeys(
  environment: Record<string, string> = {},
  loaded: FakeOllama["loaded"] = [{ name: "m:latest", context_length: 4096 }],
): Promise<{
  readonly fake: FakeOllama;
  readonly member: Send;
  readonly admin: Send;
}> {
  const [member, admin] = [newKey("member", []), newKey("admin", ["admin"])];
  const fake = await startFake();
  fake.loaded = loaded;
  const gateway = await startGateway(fake, { API_KEYS: `${member.line};${admin.line}`, ...environment });
  const sender =
    ({ key }: { key: string }): Send =>
    (path, body) =>
      gateway.post(path, body, {
        headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
      });
  return { fake, member: sender(member), admin: sender(admin) };
}

// Every route that can carry options, with a valid body.
const routes: readonly [string, object][] = [
  ["/v1/chat/completions", hello],
  ["/v1/completions", { model: "m", prompt: "Hi" }],
  ["/v1/completions", { model: "m", prompt: ["Hi", "Ho"] }],
  ["/v1/responses", { model: "m", input: "Hi" }],
  ["/v1/messages", { ...hello, max_tokens: 1 }],
  ["/v1/embeddings", { model: "m", input: "Hi" }],
  ["/v1/example-service", { model: "m", messages: "Hi", stream: false }],
  ["/v1/chatqna", { model: "m", messages: "Hi", stream: false }],
  ["/api/chat", hello],
  ["/api/generate", { model: "m", prompt: "Hi" }],
  ["/api/embed", { model: "m", input: "Hi" }],
  ["/api/embeddings", { model: "m", prompt: "Hi" }],
];

const isNative = (path: string): boolean => path.startsWith("/api/");

const runnerOptions = {
  num_batch: 1,
  num_gpu: 0,
  main_gpu: 1,
  num_thread: 1,
  use_mmap: false,
  use_imagegen_runner: true,
};

test.each(routes)(
  "%s rejects runner options, which would reload the model for everyone",
  async (path, body) => {
    const { fake, member } = await startWithKeys();
    for (const [name, value] of Object.entries(runnerOptions)) {
      const rejected = await member(path, { ...body, options: { top_k: 3, [name]: value } });
      expect(rejected.status).toBe(403);
      expect(await rejected.text()).toContain(`options.${name}`);
    }
    expect(fake.received).toHaveLength(0);
    expect(fake.loads).toHaveLength(0);
    const options = { top_k: 3, num_batch: null };
    expect((await member(path, { ...body, options })).status).toBe(200);
    expect((await fake.conversation()).body.options).toMatchObject({ top_k: 3 });
  },
);

test.each(routes)("%s rejects a num_ctx that would reload the model for everyone", async (path, body) => {
  const { fake, member } = await startWithKeys();
  const withContext = (tokens: number): object =>
    isNative(path) ? { ...body, options: { num_ctx: tokens } } : { ...body, num_ctx: tokens };
  for (const tokens of [1, 2048, 4096]) {
    const response = await member(path, withContext(tokens));
    expect(response.status).toBe(200);
    await response.text();
  }
  for (const received of fake.received) expect(received.body.options).not.toHaveProperty("num_ctx");
  const count = fake.received.length;
  const rejected = await member(path, withContext(4097));
  expect(rejected.status).toBe(403);
  const text = await rejected.text();
  expect(text).toContain("may not use a context of 4097 tokens: the model is loaded with 4096");
  expect(text).toContain(isNative(path) ? "'options.num_ctx'" : "'num_ctx'");
  expect(fake.received).toHaveLength(count);
  expect(fake.loads).toHaveLength(0);
});

test("rejects a context that is too large for a cold model after loading the model", async () => {
  const { fake, member } = await startWithKeys({}, []);
  const rejected = await member("/v1/chat/completions", { ...hello, num_ctx: 8192 });
  expect(rejected.status).toBe(403);
  expect(await errorOf(rejected)).toMatchObject({ code: "parameter_not_allowed", param: "num_ctx" });
  expect(fake.loads.map(({ body }) => "options" in body)).toEqual([false]);
  expect((await member("/v1/chat/completions", { ...hello, num_ctx: 2048 })).status).toBe(200);
  expect(fake.loads).toHaveLength(1);
});

test.each(routes)(
  "%s ignores a keep_alive that would unload the model earlier and limits a longer one",
  async (path, body) => {
    const { fake, member } = await startWithKeys({ KEEP_ALIVE_LIMIT_MS: "3600000" });
    await (await member(path, body)).text();
    const forwardedKeepAlive = async (keepAlive: unknown): Promise<unknown> => {
      const response = await member(path, { ...body, keep_alive: keepAlive });
      expect(response.status).toBe(200);
      await response.text();
      return fake.received.at(-1)?.body.keep_alive;
    };
    // Ollama's default is five minutes.
    for (const short of [0, 0.5, 299, "0", "10s", "5m"])
      expect(await forwardedKeepAlive(short)).toBeUndefined();
    expect(await forwardedKeepAlive("30m")).toBe("1800000ms");
    // A shorter value would overwrite it.
    expect(await forwardedKeepAlive("10m")).toBeUndefined();
    expect(await forwardedKeepAlive("24h")).toBe("3600000ms");
    expect(await forwardedKeepAlive(-1)).toBeUndefined();
    expect(fake.loads).toHaveLength(0);
  },
);

test("does not shorten a longer keep_alive of another client", async () => {
  const expires_at = new Date(Date.now() + 50 * 60_000).toISOString();
  const { fake, member } = await startWithKeys({}, [{ name: "m:latest", context_length: 4096, expires_at }]);
  await (await member("/api/chat", hello)).text();
  await (await member("/api/chat", { ...hello, keep_alive: "30m" })).text();
  expect((await fake.conversation(1)).body.keep_alive).toBeUndefined();
});

test("does not apply a keep_alive to a model of KEEP_LOADED_MODELS", async () => {
  const { fake, member } = await startWithKeys({ KEEP_LOADED_MODELS: "m" });
  await (await member("/api/chat", hello)).text();
  await (await member("/api/chat", { ...hello, keep_alive: "1h" })).text();
  expect((await fake.conversation(1)).body.keep_alive).toBeUndefined();
});

test("rejects an invalid keep_alive", async () => {
  const { member } = await startWithKeys();
  const rejected = await member("/v1/chat/completions", { ...hello, keep_alive: "for ever" });
  expect(rejected.status).toBe(400);
  expect(await errorOf(rejected)).toMatchObject({ code: "invalid_value", param: "keep_alive" });
});

test.each([
  ["/api/generate", { model: "m" }],
  ["/api/generate", { model: "m", prompt: "" }],
  ["/api/chat", { model: "m", messages: [] }],
  ["/api/embed", { model: "m", input: [] }],
  ["/api/embed", { model: "m", input: "" }],
])("rejects an empty request that would unload the model: %s %j", async (path, body) => {
  const { fake, member } = await startWithKeys();
  for (const keepAlive of [0, "0", "0s"]) {
    const rejected = await member(path, { ...body, keep_alive: keepAlive });
    expect(rejected.status).toBe(403);
    expect(await rejected.text()).toContain("may not unload the model 'm'");
  }
  expect([...fake.received, ...fake.loads]).toEqual([]);
});

test("an admin key may load the model with any options", async () => {
  const { fake, admin } = await startWithKeys();
  const options = { ...runnerOptions, num_ctx: 8192 };
  expect((await admin("/api/chat", { ...hello, options, keep_alive: 0 })).status).toBe(200);
  // The gateway loads the model before it sends the request.
  expect((await fake.load()).body.options).toEqual(options);
  expect((await fake.conversation()).body).toMatchObject({ options, keep_alive: 0 });
});

test.each(routes)("without keys, %s accepts all options", async (path, body) => {
  const fake = await startFake();
  fake.loaded = [{ name: "m:latest", context_length: 4096 }];
  const gateway = await startGateway(fake);
  const send = async (options: object): Promise<void> => {
    const response = await gateway.post(path, { ...body, options, keep_alive: "1h" });
    expect(response.status).toBe(200);
    await response.text();
  };
  const options = { ...runnerOptions, num_ctx: 2048 };
  await send({ ...options, top_k: 3 });
  expect(fake.received.at(-1)?.body).toMatchObject({ options, keep_alive: "1h" });
  expect(fake.loads.map((load) => load.body.options)).toEqual([options]);
  // The model stays loaded like this until an option changes.
  await send(options);
  expect(fake.loads).toHaveLength(1);
  await send({ ...options, num_thread: 2 });
  await send({});
  expect(fake.loads.map((load) => load.body.options)).toEqual([
    options,
    { ...options, num_thread: 2 },
    undefined,
  ]);
});
