import { expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { admin, cancel, cancelled, threeKeys } from "../../../test-support/gateway/admin-api.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  errorOf,
  hello,
  startFake,
  startGateway,
  type TestGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import { postChat } from "../../../test-support/gateway/key-requests.ts";

const chat = "/v1/chat/completions";

const generationRoutes: [path: string, body: object][] = [
  [chat, {}],
  ["/v1/completions", { prompt: "Hi" }],
  ["/v1/responses", { input: "Hi" }],
  ["/v1/messages", { max_tokens: 9 }],
  ["/v1/chatqna", {}],
  ["/api/chat", {}],
  ["/api/generate", { prompt: "Hi" }],
];

/** Waits until exactly one request is in flight, in this phase, and returns its id. */
async function waitForRequest(gateway: TestGateway, phase: string, key?: string): Promise<string> {
  const options = key === undefined ? {} : { key };
  await expect
    .poll(async () => (await admin(gateway, "overview", options)).requests.map((each) => each.phase))
    .toEqual([phase]);
  return (await admin(gateway, "overview", options)).requests[0]?.id ?? "";
}

function bodyOf(path: string, body: object, stream: boolean): object {
  const messages =
    path.endsWith("generate") || path.startsWith("/v1/responses") || "prompt" in body ? {} : hello;
  return { model: "m", ...messages, ...body, stream };
}

test.each(generationRoutes)(
  "%s: cancelling a buffered request fails it with 499 in the API's error format",
  async (path, body) => {
    const fake = await startFake();
    fake.respondWith("hang");
    const gateway = await startGateway(fake, { OLLAMA_NUM_PARALLEL: "1" });
    const response = gateway.post(path, bodyOf(path, body, false));
    const id = await waitForRequest(gateway, "prompt");
    const done = await cancel(gateway, id);
    expect(cancelled().parse(await done.json())).toEqual({ id, cancelled: true });
    const failed = await response;
    expect([failed.status, failed.headers.get("x-should-retry")]).toEqual([499, "false"]);
    expect(JSON.stringify(await failed.json())).toMatch(/was cancelled by an operator/);
    expect(await (await fake.conversation()).brokenOff).toBe(true);
    // The slot is free again.
    fake.respondWith(last({ message: { content: "x" }, response: "x" }));
    expect((await gateway.post(path, bodyOf(path, body, false))).status).toBe(200);
  },
);

test.each(generationRoutes)("%s: cancelling a stream ends it with an error event", async (path, body) => {
  const fake = await startFake();
  const line = { message: { role: "assistant", content: "Hel" }, response: "Hel", done: false };
  fake.respondWith({ line }, "hang");
  const gateway = await startGateway(fake, { OLLAMA_NUM_PARALLEL: "1" });
  const response = await gateway.post(path, bodyOf(path, body, true));
  expect(response.status).toBe(200);
  const id = await waitForRequest(gateway, "generating");
  expect((await cancel(gateway, id)).status).toBe(200);
  let text = "";
  try {
    for await (const piece of response.body ?? []) text += Buffer.from(piece as Uint8Array).toString();
  } catch {
    // The connection breaks, so that no client takes the stream for complete.
  }
  expect(text).toMatch(/was cancelled by an operator/);
  expect(await (await fake.conversation()).brokenOff).toBe(true);
  await expect.poll(async () => (await admin(gateway, "overview")).in_flight).toBe(0);
});

test("cancels an embedding request", async () => {
  const fake = await startFake();
  fake.respondWith("hang");
  const gateway = await startGateway(fake);
  const response = gateway.post("/v1/embeddings", { model: "m", input: "Hi" });
  await cancel(gateway, await waitForRequest(gateway, "prompt"));
  expect((await response).status).toBe(499);
  expect(await errorOf(await response)).toMatchObject({ code: "request_cancelled" });
  expect(await (await fake.conversation()).brokenOff).toBe(true);
});

test.each([false, true])(
  "cancels a queued request without sending it to Ollama (streamed: %j)",
  async (stream) => {
    const fake = await startFake();
    const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
    fake.respondWith({ until: released }, last({ message: { content: "x" } }));
    const gateway = await startGateway(fake, { OLLAMA_NUM_PARALLEL: "1" });
    const first = gateway.post(chat, hello);
    await fake.conversation();
    const second = gateway.post(chat, { ...hello, stream });
    await expect
      .poll(async () => (await admin(gateway, "overview")).requests.map(({ phase }) => phase))
      .toEqual(["prompt", "queued"]);
    const { queue, requests } = await admin(gateway, "overview");
    expect(queue).toMatchObject({
      length: 1,
      limit: 256,
      waiting: [{ key: null, priority: null, requests: 1 }],
    });
    await cancel(gateway, requests[1]?.id ?? "");
    expect((await second).status).toBe(499);
    expect(await errorOf(await second)).toMatchObject({ code: "request_cancelled" });
    release(undefined);
    expect((await first).status).toBe(200);
    expect(fake.received).toHaveLength(1);
  },
);

test("cancels a request that waits for a model load without aborting the load", async () => {
  const fake = await startFake();
  fake.loaded = [];
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.loadsWith({ until: released });
  const gateway = await startGateway(fake);
  const response = gateway.post(chat, hello);
  await cancel(gateway, await waitForRequest(gateway, "loading"));
  expect((await response).status).toBe(499);
  expect((await admin(gateway, "overview")).backends[0]?.loading).toEqual(["m:latest"]);
  release(undefined);
  await expect
    .poll(async () => (await admin(gateway, "history")).load_events)
    .toMatchObject([{ model: "m:latest", error: null }]);
});

test("cancelling a request with several prompts skips the remaining prompts", async () => {
  const fake = await startFake();
  fake.respondWith("hang");
  const gateway = await startGateway(fake, { OLLAMA_NUM_PARALLEL: "1" });
  const response = gateway.post("/v1/completions", { model: "m", prompt: ["a", "b", "c"] });
  await cancel(gateway, await waitForRequest(gateway, "prompt"));
  expect((await response).status).toBe(499);
  expect(fake.received).toHaveLength(1);
});

test("a key can cancel only its own requests, an admin key any request", async () => {
  const { ada, bob, root, API_KEYS } = threeKeys();
  const fake = await startFake();
  fake.respondWith("hang");
  const gateway = await startGateway(fake, { API_KEYS });
  const response = postChat(gateway, ada);
  const id = await waitForRequest(gateway, "prompt", ada);
  expect((await admin(gateway, "overview", { key: bob })).requests).toEqual([]);
  const rejected = await cancel(gateway, id, bob);
  expect([rejected.status, await errorOf(rejected)]).toMatchObject([404, { code: "request_not_found" }]);
  expect((await cancel(gateway, id)).status).toBe(401);
  expect((await cancel(gateway, id, ada)).status).toBe(200);
  expect((await response).status).toBe(499);
  const other = postChat(gateway, bob);
  expect((await cancel(gateway, await waitForRequest(gateway, "prompt", root), root)).status).toBe(200);
  expect((await other).status).toBe(499);
  const audit = gateway.log
    .filter((line) => line.includes('"msg":"audit"'))
    .map((line) => JSON.parse(line) as object);
  expect(audit).toMatchObject([
    { act: "cancel-request", of_key: "ada", key: "ada" },
    { act: "cancel-request", of_key: "bob", key: "root" },
  ]);
});

test("a key at its concurrency limit can still cancel a request", async () => {
  const { key, line } = newKey("ada", ["concurrent=1"]);
  const fake = await startFake();
  fake.respondWith("hang");
  const gateway = await startGateway(fake, { API_KEYS: line });
  const response = postChat(gateway, key);
  const id = await waitForRequest(gateway, "prompt", key);
  expect((await postChat(gateway, key)).status).toBe(429);
  expect((await cancel(gateway, id, key)).status).toBe(200);
  expect((await response).status).toBe(499);
});

test("returns 404 for a finished request and for invalid ids", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  await (await gateway.post(chat, hello)).text();
  await expect.poll(async () => (await admin(gateway, "requests")).requests).toHaveLength(1);
  const [finished] = (await admin(gateway, "requests")).requests;
  for (const id of [
    finished?.id,
    finished?.request_id,
    "0",
    "-1",
    "%2e%2e%2f",
    "%00",
    "__proto__",
    encodeURIComponent("' or 1=1"),
  ]) {
    const response = await cancel(gateway, id ?? "");
    expect([id, response.status]).toEqual([id, 404]);
  }
  const { status } = await cancel(gateway, "x".repeat(5000));
  expect([400, 404, 414]).toContain(status);
});

test("charges a cancelled request for its generated tokens and lists it with its error", async () => {
  const { key, line } = newKey("ada", ["tokens_per_day=1000"]);
  const fake = await startFake();
  fake.respondWith(token("a"), token("b"), "hang");
  const gateway = await startGateway(fake, { API_KEYS: line });
  const response = await postChat(gateway, key, { ...hello, stream: true });
  await cancel(gateway, await waitForRequest(gateway, "generating", key), key);
  await response.text().catch(() => "");
  await expect
    .poll(async () => (await admin(gateway, "requests", { key })).requests)
    .toMatchObject([
      { status: 200, generated_tokens: 2, error: { code: "request_cancelled", message_hidden: false } },
    ]);
  const [usage] = (await admin(gateway, "usage", { key })).keys;
  expect(usage?.today).toMatchObject({ requests: 1, generated_tokens: 2, budget: 1000 });
  expect(usage?.today.budget_used).toBeGreaterThan(2);
});

test("cancelled requests do not count against a server's circuit breaker", async () => {
  const fake = await startFake();
  fake.respondWith("hang");
  const gateway = await startGateway(fake, { BREAKER_FAILURES: "1" });
  const response = gateway.post(chat, hello);
  await cancel(gateway, await waitForRequest(gateway, "prompt"));
  await response;
  expect((await admin(gateway, "overview")).backends).toMatchObject([{ state: "available", slots_used: 0 }]);
});
