import { expect, onTestFinished, test, vi } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { Consumer } from "../../../gateway/src/auth/consumer.ts";
import {
  errorOf,
  hello,
  startFake,
  startGateway,
  type TestGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import { postChat } from "../../../test-support/gateway/key-requests.ts";

const chat = "/v1/chat/completions";

async function gatewayWith(...lines: readonly string[]): Promise<TestGateway> {
  return startGateway(await startFake(), { API_KEYS: lines.join(";") });
}

function get(gateway: TestGateway, path: string, key: string): Promise<Response> {
  return fetch(gateway.url + path, { headers: { authorization: `Bearer ${key}` } });
}

test("rejects a key from the moment it expires and logs its name", async () => {
  const { key, line } = newKey("ada", ["expires=2199-01-31"]);
  const gateway = await gatewayWith(line);
  const now = vi.spyOn(Date, "now");
  onTestFinished(() => {
    now.mockRestore();
  });
  now.mockReturnValue(Date.parse("2199-01-31T23:59:59.999Z"));
  expect((await postChat(gateway, key)).status).toBe(200);
  now.mockReturnValue(Date.parse("2199-02-01T00:00:00Z"));
  const rejected = await postChat(gateway, key);
  expect([rejected.status, rejected.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
  expect(await errorOf(rejected)).toMatchObject({
    code: "api_key_expired",
    message: expect.stringContaining("2199-02-01T00:00:00.000Z") as string,
  });
  expect(await gateway.requestLine(chat, 1)).toMatchObject({ key: "ada", status: 401 });
});

test("rejects a disabled key, also in Anthropic's error format", async () => {
  const { key, line } = newKey("ada", ["disabled"]);
  const gateway = await gatewayWith(line);
  const rejected = await postChat(gateway, key);
  expect(rejected.status).toBe(401);
  expect(await errorOf(rejected)).toMatchObject({ code: "api_key_disabled", type: "invalid_request_error" });
  const messages = await gateway.post("/v1/messages", {}, { headers: { "x-api-key": key } });
  expect(messages.status).toBe(401);
  expect(await messages.json()).toMatchObject({ error: { type: "authentication_error" } });
});

test("rejects requests without a key if the only key has expired", async () => {
  const gateway = await gatewayWith(newKey("ada", ["expires=2020-01-01"]).line);
  expect((await gateway.post(chat, hello)).status).toBe(401);
});

test("accepts both keys of a name during a rotation, with shared limits", async () => {
  const [old, next] = [newKey("ada", ["requests=2", "expires=2199-01-01"]), newKey("ada", ["requests=2"])];
  const gateway = await gatewayWith(old.line, next.line);
  expect((await postChat(gateway, old.key)).status).toBe(200);
  expect((await postChat(gateway, next.key)).status).toBe(200);
  expect((await postChat(gateway, old.key)).status).toBe(429);
  expect((await postChat(gateway, next.key)).status).toBe(429);
});

test("restricts a key to its routes, however their paths are spelled", async () => {
  const [some, models, all] = [
    newKey("some", ["routes=/v1/chat/*,embed"]),
    newKey("models", ["routes=read"]),
    newKey("all", []),
  ];
  const gateway = await gatewayWith(some.line, models.line, all.line);
  expect((await postChat(gateway, some.key)).status).toBe(200);
  const rejected = await get(gateway, "/v1/models", some.key);
  expect(rejected.status).toBe(403);
  expect(await errorOf(rejected)).toMatchObject({ code: "route_not_allowed" });
  for (const path of ["/v1/%6dodels", "/v1/models?x=/v1/chat/", "/v1/models/m", "/metrics"])
    expect([path, (await get(gateway, path, some.key)).status]).toEqual([path, 403]);
  const embedding = { model: "m", input: "x" };
  const headers = { "content-type": "application/json", authorization: `Bearer ${some.key}` };
  expect((await gateway.post("/v1/embeddings", embedding, { headers })).status).not.toBe(403);
  for (const path of ["/v1/models", "/v1/models/m", "/api/tags"])
    expect([path, (await get(gateway, path, models.key)).status]).not.toEqual([path, 403]);
  expect((await postChat(gateway, models.key)).status).toBe(403);
  expect((await get(gateway, "/v1/statistics", all.key)).status).toBe(200);
  // Which routes exist is not secret.
  expect((await get(gateway, "/nowhere", some.key)).status).toBe(404);
});

test("rejects a key from a network that it does not allow", async () => {
  const [here, elsewhere] = [
    newKey("here", ["from=::1,127.0.0.0/8"]),
    newKey("elsewhere", ["from=10.0.0.0/8"]),
  ];
  const gateway = await gatewayWith(here.line, elsewhere.line);
  expect((await postChat(gateway, here.key)).status).toBe(200);
  const rejected = await postChat(gateway, elsewhere.key);
  expect(rejected.status).toBe(403);
  expect(await errorOf(rejected)).toMatchObject({ code: "address_not_allowed" });
});

test.each([
  ["10.1.2.3", true],
  ["::ffff:10.1.2.3", true],
  ["11.1.2.3", false],
  ["::ffff:11.1.2.3", false],
  ["fe80::1%eth0", true],
  ["fe81::1", false],
  ["192.0.2.7", true],
  ["192.0.2.8", false],
  ["not an address", false],
])("the networks of a key allow %s: %s", (address, allowed) => {
  const consumer = new Consumer({ from: ["10.0.0.0/8", "fe80::/16", "192.0.2.7"] });
  expect(consumer.allowsAddress({ ip: address })).toBe(allowed);
});

test("allows runner options to admin keys and to keys with the flag", () => {
  expect(new Consumer({}).options).toBe(false);
  expect(new Consumer({ options: true }).options).toBe(true);
  expect(new Consumer({ admin: true }).options).toBe(true);
});

test.each([
  ["10.1.2.3", "", 403],
  ["10.1.2.3", "127.0.0.1", 200],
  ["::ffff:10.1.2.3", "127.0.0.1", 200],
  ["10.1.2.3, 192.0.2.7", "127.0.0.1", 403],
  ["192.0.2.7, 10.1.2.3", "127.0.0.1", 200],
  // An invalid address matches no network; the proxy's address does not replace it.
  ["unknown", "127.0.0.1", 403],
  ["10.1.2.3:4567", "127.0.0.1", 403],
])(
  "a key with from=10.0.0.0/8, X-Forwarded-For %s and the trusted proxies '%s' gets %i",
  async (from, trusted, status) => {
    const { key, line } = newKey("ada", ["from=10.0.0.0/8"]);
    const gateway = await startGateway(await startFake(), { API_KEYS: line, TRUSTED_PROXIES: trusted });
    const headers = { authorization: `Bearer ${key}`, "x-forwarded-for": from };
    expect((await fetch(`${gateway.url}/openapi.json`, { headers })).status).toBe(status);
  },
);

test.each(["GET", "HEAD", "OPTIONS", "DELETE", "POST"])(
  "no spelling of a path lets %s bypass a key's routes",
  async (method) => {
    const { key, line } = newKey("some", ["routes=embed"]);
    const gateway = await gatewayWith(line);
    const headers = { authorization: `Bearer ${key}` };
    for (const path of [
      "/v1/models",
      "//v1/models",
      "/v1/models/",
      "/V1/models",
      "/v1/%6d%6f%64els",
      "/v1/./models",
      "/v1/embeddings/../models",
      "/v1/embeddings%2f..%2fmodels",
      "/v1/models;/v1/embeddings",
      "/metrics/",
      "/api/tags?/v1/embeddings",
    ]) {
      const response = await fetch(gateway.url + path, { method, headers });
      expect([path, [403, 404, 405].includes(response.status)], `${response.status}`).toEqual([path, true]);
    }
  },
);
