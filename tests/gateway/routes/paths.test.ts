import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

test.each([
  "/v1/chat/completions/",
  "//v1/chat/completions",
  "/v1//chat/completions",
  "//v1///chat//completions//",
  "/v1/chat/completions/?api-version=1",
])("%s reaches the route without the extra slashes", async (path) => {
  const gateway = await startGateway(await startFake());
  expect((await gateway.post(path, hello)).status).toBe(200);
  expect(await gateway.requestLine("/v1/chat/completions")).toMatchObject({ status: 200 });
});

test.each(["//api/chat/", "/api//generate", "/api/embed/"])("%s reaches Ollama's route", async (path) => {
  const gateway = await startGateway(await startFake());
  expect((await gateway.post(path, { model: "m", input: "a", prompt: "a", stream: false })).status).toBe(200);
});

test.each(["/v1/models/", "//v1/models", "/v1//models/?limit=1"])("GET %s lists the models", async (path) => {
  const { url } = await startGateway(await startFake());
  expect(await (await fetch(url + path)).json()).toMatchObject({
    object: "list",
    data: [{ id: "m:latest" }],
  });
});

test("returns errors in the API's format on a path with double slashes", async () => {
  const gateway = await startGateway(await startFake());
  const native = await gateway.post("//api/chat", { ...hello, model: "missing" });
  expect(await native.json()).toEqual({ error: expect.any(String) as string });
  const anthropic = await gateway.post("//v1/messages/", {});
  expect(await anthropic.json()).toMatchObject({ type: "error" });
});

test("a key's allowed routes apply to every spelling of a path", async () => {
  const { key, line } = newKey("ada", ["routes=/v1/models"]);
  const gateway = await startGateway(await startFake(), { API_KEYS: line });
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  expect((await fetch(`${gateway.url}//v1/models/`, { headers })).status).toBe(200);
  expect((await gateway.post("//api//chat/", hello, { headers })).status).toBe(403);
});

test("forwards an admin request under its normalized path", async () => {
  const { key, line } = newKey("ada", ["admin"]);
  const fake = await startFake();
  const gateway = await startGateway(fake, { API_KEYS: line });
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  expect((await gateway.post("//api/pull/", { model: "m" }, { headers })).status).toBe(200);
  expect((await fake.conversation()).path).toBe("/api/pull");
});

test("forwards an admin request with an absolute target without its host", async () => {
  const { key, line } = newKey("root", ["admin"]);
  const fake = await startFake();
  const { port } = await startGateway(fake, { API_KEYS: line });
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const path = "http://evil.example/api/pull?a=b";
  const client = request({ host: "127.0.0.1", port, method: "POST", path, headers });
  client.end('{"model":"m"}');
  const [response] = (await once(client, "response")) as [IncomingMessage];
  response.resume();
  expect((await fake.conversation()).path).toBe("/api/pull");
});

test("double slashes do not bypass the method check", async () => {
  const { url } = await startGateway(await startFake());
  const response = await fetch(`${url}//v1/chat/completions/`);
  expect(response.status).toBe(405);
  expect(response.headers.get("allow")).toBe("POST");
});

test.each([
  "/",
  "/v1/models",
  "/v1/models/m",
  "/api/tags",
  "/api/ps",
  "/api/version",
  "/health",
  "/ready",
  "/metrics",
  "/openapi.json",
])("HEAD %s returns what GET would, without a body", async (path) => {
  const { url } = await startGateway(await startFake());
  await expect.poll(async () => (await fetch(`${url}/ready`)).status, { timeout: 15_000 }).toBe(200);
  const got = await fetch(url + path);
  const head = await fetch(url + path, { method: "HEAD" });
  expect(head.status).toBe(got.status);
  expect(head.headers.get("content-type")).toBe(got.headers.get("content-type"));
  expect(await head.text()).toBe("");
});

test("HEAD of an unknown model returns 404", async () => {
  const { url } = await startGateway(await startFake());
  expect((await fetch(`${url}/v1/models/missing`, { method: "HEAD" })).status).toBe(404);
});

test.each([
  ["/api/blobs/%zz", { error: expect.any(String) as string }],
  ["/v1/messages/%zz", { type: "error", error: { type: "invalid_request_error" } }],
  ["/v1/models/%zz", { error: { type: "invalid_request_error" } }],
])("a malformed URL is rejected in the format of its API: %s", async (path, body) => {
  const { url } = await startGateway(await startFake());
  const response = await fetch(`${url}${path}`);
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject(body);
});
