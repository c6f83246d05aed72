import { request } from "node:http";
import { expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const local = "http://localhost:3000";
const foreign = "https://evil.example";

interface ReceivedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** Unlike `fetch`, lets the test set `Origin` and `Host`. */
function send(
  url: string,
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: object | string,
): Promise<ReceivedResponse> {
  return new Promise((resolve, reject) => {
    const content = typeof body === "object" ? JSON.stringify(body) : (body ?? "");
    const length = { "content-length": String(Buffer.byteLength(content)) };
    const sent = request(url + path, { method, headers: { ...headers, ...length } }, (response) => {
      void response.toArray().then((pieces) => {
        const text = Buffer.concat(pieces as Buffer[]).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      }, reject);
    });
    sent.on("error", reject);
    sent.end(content);
  });
}

const preflight = (origin: string, more: Record<string, string> = {}) => ({
  origin,
  "access-control-request-method": "POST",
  "access-control-request-headers": "authorization,content-type,x-stainless-os",
  ...more,
});

test.each(["/v1/chat/completions", "/api/chat", "/v1/messages"])(
  "responds to a preflight for %s without a key",
  async (path) => {
    const { line } = newKey("ada", []);
    const { url } = await startGateway(await startFake(), { API_KEYS: line });
    const response = await send(url, "OPTIONS", path, preflight(local));
    expect(response.status).toBe(204);
    expect(response.headers).toMatchObject({
      "access-control-allow-origin": local,
      "access-control-allow-methods": "GET, HEAD, POST, DELETE",
      "access-control-allow-headers": "authorization,content-type,x-stainless-os",
      "access-control-max-age": "7200",
      vary: "Origin",
    });
    expect(response.headers).not.toHaveProperty("access-control-allow-private-network");
    expect(response.headers).not.toHaveProperty("access-control-allow-credentials");
  },
);

test("lets an allowed public page reach a private network", async () => {
  const { url } = await startGateway(await startFake(), { ALLOWED_ORIGINS: "https://chat.example.org" });
  const headers = preflight("https://chat.example.org", { "access-control-request-private-network": "true" });
  const response = await send(url, "OPTIONS", "/v1/chat/completions", headers);
  expect(response.status).toBe(204);
  expect(response.headers).toMatchObject({ "access-control-allow-private-network": "true" });
});

test("rejects a preflight of a foreign origin without CORS headers", async () => {
  const { url } = await startGateway(await startFake());
  const response = await send(url, "OPTIONS", "/v1/chat/completions", preflight(foreign));
  expect(response.status).toBe(403);
  expect(Object.keys(response.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
});

test.each([
  ["/v1/chat/completions", { error: { code: "origin_not_allowed" } }],
  ["/api/chat", { error: expect.stringContaining(foreign) as string }],
  ["/v1/messages", { type: "error", error: { type: "permission_error" } }],
])("rejects a POST to %s from a foreign page with the API's own error", async (path, body) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const headers = { origin: foreign, "content-type": "text/plain" };
  const response = await send(gateway.url, "POST", path, headers, { ...hello, max_tokens: 1 });
  expect(response.status).toBe(403);
  expect(JSON.parse(response.text)).toMatchObject(body);
  expect(response.text).toContain("ALLOWED_ORIGINS");
  expect(response.headers).not.toHaveProperty("access-control-allow-origin");
  expect(fake.received).toEqual([]);
  expect(await gateway.requestLine(path)).toMatchObject({ status: 403, error: "origin_not_allowed" });
});

test.each(["null", "chrome-extension://abc", `http://${"a".repeat(5000)}.example`])(
  "treats the origin %s as foreign",
  async (origin) => {
    const { url } = await startGateway(await startFake());
    const response = await send(url, "POST", "/api/chat", { origin }, hello);
    expect(response.status).toBe(403);
    expect(response.text.length).toBeLessThan(400);
  },
);

test("does not let a foreign page change the server, even with a key", async () => {
  const { key, line } = newKey("ada", ["admin"]);
  const fake = await startFake();
  const { url } = await startGateway(fake, { API_KEYS: line });
  const headers = { origin: foreign, authorization: `Bearer ${key}` };
  expect((await send(url, "DELETE", "/api/delete", headers, { model: "m" })).status).toBe(403);
  expect(fake.received).toEqual([]);
});

test("responds to a GET from a foreign page without CORS headers", async () => {
  const { url } = await startGateway(await startFake());
  const response = await send(url, "GET", "/v1/models", { origin: foreign });
  expect(response.status).toBe(200);
  expect(response.headers).not.toHaveProperty("access-control-allow-origin");
});

test.each([
  ["a response", {}, 200],
  ["a stream", { stream: true }, 200],
  ["an error", { temperature: "hot" }, 400],
])("lets a page of this machine read %s and all its headers", async (_kind, more, status) => {
  const { url } = await startGateway(await startFake());
  const response = await send(
    url,
    "POST",
    "/v1/chat/completions",
    { origin: local, "content-type": "application/json" },
    { ...hello, ...more },
  );
  expect(response.status).toBe(status);
  expect(response.headers).toMatchObject({
    "access-control-allow-origin": local,
    "access-control-expose-headers": "*",
    vary: "Origin",
    "x-request-id": expect.any(String) as string,
  });
});

test.each([
  ["a wrong key", "POST", "/v1/chat/completions", { authorization: "Bearer wrong" }, 401],
  ["an unknown route", "POST", "/v1/nothing", {}, 401],
  ["an unsupported method", "DELETE", "/v1/models", {}, 401],
])("lets a page read the error for %s", async (_error, method, path, headers, status) => {
  const { line } = newKey("ada", []);
  const { url } = await startGateway(await startFake(), { API_KEYS: line });
  const response = await send(url, method, path, { origin: local, ...headers });
  expect(response.status).toBe(status);
  expect(response.headers["access-control-allow-origin"]).toBe(local);
});

test("does not treat a page from the gateway's own host as foreign", async () => {
  const { url } = await startGateway(await startFake(), { ALLOWED_HOSTS: "llm.example.org" });
  const headers = { host: "llm.example.org", "content-type": "application/json" };
  const postFrom = (origin: string) =>
    send(url, "POST", "/v1/chat/completions", { ...headers, origin }, hello);
  expect((await postFrom("https://llm.example.org")).status).toBe(200);
  expect((await postFrom("https://other.example.org")).status).toBe(403);
});

test("ALLOWED_ORIGINS=* allows every page, with a warning on a gateway without keys", async () => {
  const gateway = await startGateway(await startFake(), { ALLOWED_ORIGINS: "*" });
  expect((await send(gateway.url, "POST", "/api/chat", { origin: foreign }, hello)).status).toBe(200);
  expect(gateway.log.join("")).toContain("ALLOWED_ORIGINS=*");
  const { line } = newKey("ada", []);
  const closed = await startGateway(await startFake(), { ALLOWED_ORIGINS: "*", API_KEYS: line });
  expect(closed.log.join("")).not.toContain("ALLOWED_ORIGINS");
});

test("sends no CORS headers to a request without an origin", async () => {
  const { url } = await startGateway(await startFake());
  const response = await send(url, "POST", "/api/chat", {}, hello);
  expect(response.status).toBe(200);
  expect(Object.keys(response.headers).filter((name) => /^access-control|^vary/.test(name))).toEqual([]);
});
