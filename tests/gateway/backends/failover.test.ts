import { describe, expect, test } from "vitest";
import { token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  errorOf,
  hello,
  metric,
  readEvents,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import { count, startTwo, type Two } from "../../../test-support/gateway/two-backends.ts";

const chat = "/v1/chat/completions";
const streamed = { ...hello, stream: true };

describe.each([
  ["buffered", hello],
  ["streamed", streamed],
])("before the first byte, %s", (_form, body) => {
  async function expectResponseFromRight({ gateway, right }: Two): Promise<void> {
    const response = await gateway.post(chat, body);
    expect(response.status).toBe(200);
    if (body === hello) expect(await response.text()).toContain("Hello there.");
    else {
      const { data, brokenOff } = await readEvents(response);
      expect([data.length, data.at(-1), brokenOff]).toEqual([6, "[DONE]", false]);
    }
    expect(await gateway.requestLine(chat)).toMatchObject({
      status: 200,
      backend: `127.0.0.1:${right.port}`,
    });
  }

  test.each([
    ["is overloaded", [{ status: 503, body: '{"error":"server busy"}' }]],
    ["has lost the model", [{ status: 404, body: '{"error":"model not found"}' }]],
  ] as const)("retries on another server if the first one %s", async (_what, script) => {
    const two = await startTwo((left) => {
      left.respondWith(...script);
    });
    await expectResponseFromRight(two);
    expect(count(two)).toEqual([1, 1]);
  });

  test("retries on another server if the first one refuses the connection", async () => {
    // No poll runs in between, so the request is the first to notice.
    const two = await startTwo(() => undefined, { POLL_INTERVAL_MS: "60000" });
    const { gateway, left } = two;
    await left.stop();
    await metric(gateway.url, `gateway_backend_up{backend="127.0.0.1:${left.port}"} 1`);
    await expectResponseFromRight(two);
    expect(count(two)).toEqual([0, 1]);
    await metric(gateway.url, `gateway_backend_up{backend="127.0.0.1:${left.port}"} 0`);
  });
});

describe("does not retry a request that may have crashed its server:", () => {
  test.each([
    ["buffered", chat, hello],
    ["streamed", chat, streamed],
    ["embedding", "/v1/embeddings", { model: "m", input: "Hi" }],
    ["Ollama's API", "/api/chat", hello],
  ])("%s", async (_form, path, body) => {
    const two = await startTwo((left) => {
      left.respondWith("cut");
    });
    const response = await two.gateway.post(path, body);
    expect(response.status).toBe(502);
    expect(response.headers.get("x-should-retry")).toBe("false");
    expect(count(two)).toEqual([1, 0]);
    const line = await two.gateway.requestLine(path);
    expect(line).toMatchObject({ error: "upstream_failed", backend: `127.0.0.1:${two.left.port}` });
  });

  test("an embedding response that breaks off", async () => {
    const two = await startTwo((left) => {
      left.respondWith({ raw: '{"embeddings":[[0.5' }, { waitMs: 20 }, "cut");
    });
    const response = await two.gateway.post("/v1/embeddings", { model: "m", input: "Hi" });
    expect(response.status).toBe(502);
    expect((await errorOf(response)).code).toBe("upstream_incomplete");
    expect(count(two)).toEqual([1, 0]);
  });

  test("a load with a context that the client chose", async () => {
    const two = await startTwo((left, right) => {
      for (const each of [left, right]) {
        each.loaded = [];
        each.loadsWith("cut");
      }
    });
    const response = await two.gateway.post(chat, { ...hello, num_ctx: 1_000_000 });
    expect(response.status).toBe(502);
    expect(response.headers.get("x-should-retry")).toBe("false");
    expect(two.left.loads.length + two.right.loads.length).toBe(1);
  });
});

test("retries a load with the default context on another server", async () => {
  const two = await startTwo((left, right) => {
    for (const each of [left, right]) each.loaded = [];
    left.loadsWith("cut");
  });
  expect((await two.gateway.post(chat, hello)).status).toBe(200);
  expect([two.left.loads.length, two.right.loads.length]).toEqual([1, 1]);
});

test("retries on another server if the connection broke before the request was sent completely", async () => {
  const two = await startTwo((left, right) => {
    left.cutsBodies = true;
    for (const each of [left, right]) each.loaded = [{ name: "m", context_length: 100_000_000 }];
  });
  // More than the socket buffers of both sides hold.
  const long = { model: "m", messages: [{ role: "user", content: "x".repeat(24 * 1024 * 1024) }] };
  const response = await two.gateway.post(chat, long);
  expect(response.status).toBe(200);
  expect(count(two)).toEqual([0, 1]);
});

test("does not fail a request after the server has closed an idle connection", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake, { POLL_INTERVAL_MS: "60000" });
  expect((await gateway.post(chat, hello)).status).toBe(200);
  fake.closeConnections();
  expect((await gateway.post(chat, hello)).status).toBe(200);
});

test("does not retry a request after the first byte", async () => {
  const two = await startTwo((left) => {
    left.respondWith(token("Hel"), { waitMs: 20 }, "cut");
  });
  const { data, brokenOff } = await readEvents(await two.gateway.post(chat, streamed));
  expect(data.at(-1)).toContain("upstream_incomplete");
  expect(brokenOff).toBe(true);
  expect(count(two)).toEqual([1, 0]);
  await metric(two.gateway.url, 'gateway_stream_failures_total{code="upstream_incomplete"} 1');
});

test("does not retry an error of Ollama on another server", async () => {
  const two = await startTwo((left) => {
    left.respondWith({ status: 500, body: '{"error":"out of memory"}' });
  });
  expect((await two.gateway.post(chat, hello)).status).toBe(502);
  expect(count(two)).toEqual([1, 0]);
});
