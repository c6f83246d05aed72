import { expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import {
  ready,
  startFake,
  startGateway,
  type TestGateway,
} from "../../../test-support/gateway/gateway-harness.ts";

/** Starts a gateway with one limited key; `send` sends a request with that key. */
async function startLimited(limits: string): Promise<{
  readonly gateway: TestGateway;
  readonly send: (path: string, body?: object, method?: string) => Promise<Response>;
}> {
  const { key, line } = newKey("ada", limits.split(" "));
  const gateway = await startGateway(await startFake(), { API_KEYS: line });
  return {
    gateway,
    send: (path, body, method = body === undefined ? "GET" : "POST") =>
      fetch(gateway.url + path, {
        method,
        headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
  };
}

test.each([
  ["GET", "/v1/models"],
  ["GET", "/v1/models/m"],
  ["GET", "/api/tags"],
  ["GET", "/api/ps"],
  ["GET", "/api/version"],
  ["GET", "/metrics"],
  ["GET", "/v1/statistics"],
  ["GET", "/openapi.json"],
  ["GET", "/"],
  ["GET", "/nowhere"],
  ["DELETE", "/api/delete"],
  ["HEAD", "/api/blobs/sha256:0"],
])("%s %s counts towards the request limit", async (method, path) => {
  const { send } = await startLimited("requests=2");
  const first = await send(path, undefined, method);
  expect(first.headers.get("x-ratelimit-remaining-requests")).toBe("1");
  await first.text();
  await (await send(path, undefined, method)).text();
  const third = await send(path, undefined, method);
  expect(third.status).toBe(429);
  expect(Number(third.headers.get("retry-after"))).toBeGreaterThan(0);
});

test("probes need no key and count towards no limit", async () => {
  const { gateway, send } = await startLimited("requests=1");
  await ready(gateway);
  for (const path of ["/health", "/ready", "/accepting", "/v1/health_check"]) {
    for (let n = 0; n < 3; n += 1) expect((await fetch(gateway.url + path)).status).toBe(200);
  }
  expect((await send("/v1/models")).status).toBe(200);
});

test("lookups do not count as concurrent requests", async () => {
  const { send } = await startLimited("concurrent=1");
  const responses = await Promise.all(Array.from({ length: 5 }, () => send("/v1/models")));
  expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
});

const embeddings: readonly [string, (input: readonly string[]) => object][] = [
  ["/v1/embeddings", (input) => ({ model: "m", input })],
  ["/api/embed", (input) => ({ model: "m", input })],
  ["/api/embed", (input) => ({ name: "m", model: "m", input })],
];

test.each(embeddings)("%s counts each text as a request", async (path, body) => {
  const { send } = await startLimited("requests=5");
  const three = await send(path, body(["a", "b", "c"]));
  expect(three.status).toBe(200);
  expect(three.headers.get("x-ratelimit-remaining-requests")).toBe("2");
  const again = await send(path, body(["a", "b", "c"]));
  expect(again.status).toBe(429);
  expect(await again.text()).toContain("Rate limit reached: 5 requests per minute.");
});

test.each(embeddings)("%s rejects more texts than requests per minute with 400", async (path, body) => {
  const { send } = await startLimited("requests=5");
  const rejected = await send(path, body(["a", "b", "c", "d", "e", "f"]));
  expect(rejected.status).toBe(400);
  const text = await rejected.text();
  expect(text).toContain("it counts as 6 requests");
});

test.each(embeddings)("%s accepts at most 2,048 texts", async (path, body) => {
  const { send } = await startLimited("tokens=1000000");
  const texts = (count: number): string[] => Array.from({ length: count }, () => "a");
  expect((await send(path, body(texts(2048)))).status).toBe(200);
  const rejected = await send(path, body(texts(2049)));
  expect(rejected.status).toBe(400);
  expect(await rejected.text()).toContain("input");
});

test.each(embeddings)("%s charges the embedded tokens", async (path, body) => {
  const { gateway, send } = await startLimited("tokens=2");
  await (await send(path, body(["a", "b"]))).text();
  await gateway.requestLine(path);
  const rejected = await send(path, body(["a"]));
  expect(rejected.status).toBe(429);
});
