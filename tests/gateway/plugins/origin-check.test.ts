import { request } from "node:http";
import { expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const local = "http://localhost:3000";
const foreign = "https://evil.example";

interface Sent {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** Not by `fetch`, which sets `Origin` and `Host` itself. */
function send(
  url: string,
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: object | string,
): Promise<Sent> {
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
  "a preflight for %s is answered, without a key",
  async (path) => {
    const { line } = newKey("ada", []);
    const { url } = await startGateway(await startFake(), { API_KEYS: line });
    const answer = await send(url, "OPTIONS", path, preflight(local));
    expect(answer.status).toBe(204);
    expect(answer.headers).toMatchObject({
      "access-control-allow-origin": local,
      "access-control-allow-methods": "GET, HEAD, POST, DELETE",
      "access-control-allow-headers": "authorization,content-type,x-stainless-os",
      "access-control-max-age": "7200",
      vary: "Origin",
    });
    expect(answer.headers).not.toHaveProperty("access-control-allow-private-network");
    expect(answer.headers).not.toHaveProperty("access-control-allow-credentials");
  },
);

test("a public page that is allowed may reach this machine", async () => {
  const { url } = await startGateway(await startFake(), { ALLOWED_ORIGINS: "https://chat.example.org" });
  const headers = preflight("https://chat.example.org", { "access-control-request-private-network": "true" });
  const answer = await send(url, "OPTIONS", "/v1/chat/completions", headers);
  expect(answer.status).toBe(204);
  expect(answer.headers).toMatchObject({ "access-control-allow-private-network": "true" });
});

test("a preflight of a foreign origin is refused, without a permission", async () => {
  const { url } = await startGateway(await startFake());
  const answer = await send(url, "OPTIONS", "/v1/chat/completions", preflight(foreign));
  expect(answer.status).toBe(403);
  expect(Object.keys(answer.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
});

test.each([
  ["/v1/chat/completions", { error: { code: "origin_not_allowed" } }],
  ["/api/chat", { error: expect.stringContaining(foreign) as string }],
  ["/v1/messages", { type: "error", error: { type: "permission_error" } }],
])("what a foreign page posts to %s reaches nobody, and the API's own error says why", async (path, body) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const headers = { origin: foreign, "content-type": "text/plain" };
  const answer = await send(gateway.url, "POST", path, headers, { ...hello, max_tokens: 1 });
  expect(answer.status).toBe(403);
  expect(JSON.parse(answer.text)).toMatchObject(body);
  expect(answer.text).toContain("ALLOWED_ORIGINS");
  expect(answer.headers).not.toHaveProperty("access-control-allow-origin");
  expect(fake.received).toEqual([]);
  expect(await gateway.requestLine(path)).toMatchObject({ status: 403, error: "origin_not_allowed" });
});

test.each(["null", "chrome-extension://abc", `http://${"a".repeat(5000)}.example`])(
  "the origin %s is foreign",
  async (origin) => {
    const { url } = await startGateway(await startFake());
    const answer = await send(url, "POST", "/api/chat", { origin }, hello);
    expect(answer.status).toBe(403);
    expect(answer.text.length).toBeLessThan(400);
  },
);

test("a foreign page may not change the server, with a key neither", async () => {
  const { key, line } = newKey("ada", ["admin"]);
  const fake = await startFake();
  const { url } = await startGateway(fake, { API_KEYS: line });
  const headers = { origin: foreign, authorization: `Bearer ${key}` };
  expect((await send(url, "DELETE", "/api/delete", headers, { model: "m" })).status).toBe(403);
  expect(fake.received).toEqual([]);
});

test("a foreign page gets what it only reads without permission to look at it", async () => {
  const { url } = await startGateway(await startFake());
  const answer = await send(url, "GET", "/v1/models", { origin: foreign });
  expect(answer.status).toBe(200);
  expect(answer.headers).not.toHaveProperty("access-control-allow-origin");
});

test.each([
  ["a response", {}, 200],
  ["a stream", { stream: true }, 200],
  ["an error", { temperature: "hot" }, 400],
])("a page of this machine may read %s and all of its headers", async (_what, more, status) => {
  const { url } = await startGateway(await startFake());
  const answer = await send(
    url,
    "POST",
    "/v1/chat/completions",
    { origin: local, "content-type": "application/json" },
    { ...hello, ...more },
  );
  expect(answer.status).toBe(status);
  expect(answer.headers).toMatchObject({
    "access-control-allow-origin": local,
    "access-control-expose-headers": "*",
    vary: "Origin",
    "x-request-id": expect.any(String) as string,
  });
});

test.each([
  ["a wrong key", "POST", "/v1/chat/completions", { authorization: "Bearer wrong" }, 401],
  ["a route that is not there", "POST", "/v1/nothing", {}, 401],
  ["a method that is not there", "DELETE", "/v1/models", {}, 401],
])("a page may read the error of %s", async (_what, method, path, headers, status) => {
  const { line } = newKey("ada", []);
  const { url } = await startGateway(await startFake(), { API_KEYS: line });
  const answer = await send(url, method, path, { origin: local, ...headers });
  expect(answer.status).toBe(status);
  expect(answer.headers["access-control-allow-origin"]).toBe(local);
});

test("a page that the gateway's own host serves is not foreign, whatever its name", async () => {
  const { url } = await startGateway(await startFake(), { ALLOWED_HOSTS: "llm.example.org" });
  const headers = { host: "llm.example.org", "content-type": "application/json" };
  const answer = (origin: string) => send(url, "POST", "/v1/chat/completions", { ...headers, origin }, hello);
  expect((await answer("https://llm.example.org")).status).toBe(200);
  expect((await answer("https://other.example.org")).status).toBe(403);
});

test("ALLOWED_ORIGINS=* allows every page, and a gateway without keys warns of it", async () => {
  const gateway = await startGateway(await startFake(), { ALLOWED_ORIGINS: "*" });
  expect((await send(gateway.url, "POST", "/api/chat", { origin: foreign }, hello)).status).toBe(200);
  expect(gateway.log.join("")).toContain("ALLOWED_ORIGINS=*");
  const { line } = newKey("ada", []);
  const closed = await startGateway(await startFake(), { ALLOWED_ORIGINS: "*", API_KEYS: line });
  expect(closed.log.join("")).not.toContain("ALLOWED_ORIGINS");
});

test("a request without an origin gets no header of this kind", async () => {
  const { url } = await startGateway(await startFake());
  const answer = await send(url, "POST", "/api/chat", {}, hello);
  expect(answer.status).toBe(200);
  expect(Object.keys(answer.headers).filter((name) => /^access-control|^vary/.test(name))).toEqual([]);
});
