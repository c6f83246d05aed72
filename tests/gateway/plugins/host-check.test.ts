import { request } from "node:http";
import { hostname } from "node:os";
import { describe, expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import {
  hello,
  startFake,
  startGateway,
  type TestGateway,
} from "../../../test-support/gateway/gateway-harness.ts";

interface Received {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** Sends a request with headers that fetch does not allow. */
function send(
  { port }: TestGateway,
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: string,
): Promise<Received> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, method, path, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => (text += piece));
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    sent.on("error", reject).end(body);
  });
}

const json = { "content-type": "application/json" };
const chat = "/v1/chat/completions";
const body = JSON.stringify(hello);

describe("a page whose name resolves to this machine (DNS rebinding)", () => {
  test.each([
    ["POST", chat, body],
    ["POST", "/api/generate", '{"model":"m"}'],
    ["GET", "/api/tags", undefined],
    ["GET", "/v1/models", undefined],
    ["GET", "/metrics", undefined],
    ["GET", "/health", undefined],
    ["GET", "/ready", undefined],
    ["GET", "/no-such-route", undefined],
  ])("gets 421 for %s %s from a gateway without keys", async (method, path, content) => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    const refused = await send(gateway, method, path, { ...json, host: "evil.example:8000" }, content);
    expect(refused.status).toBe(421);
    expect(refused.text).toContain("does not serve the host 'evil.example:8000'");
    expect(refused.text).toContain("ALLOWED_HOSTS");
    expect(fake.received).toHaveLength(0);
    expect(fake.loads).toHaveLength(0);
  });

  test("gets the error in the API's own format", async () => {
    const gateway = await startGateway(await startFake());
    const headers = { ...json, host: "evil.example" };
    const openai = JSON.parse((await send(gateway, "POST", chat, headers, body)).text) as unknown;
    expect(openai).toMatchObject({ error: { code: "host_not_allowed", type: "invalid_request_error" } });
    const ollama = JSON.parse((await send(gateway, "GET", "/api/tags", headers)).text) as unknown;
    expect(ollama).toEqual({ error: expect.stringContaining("evil.example") as string });
    const anthropic = JSON.parse(
      (await send(gateway, "POST", "/v1/messages", headers, body)).text,
    ) as unknown;
    expect(anthropic).toMatchObject({ type: "error", error: { type: "invalid_request_error" } });
  });

  test.each([
    ["http://evil.example/v1/models", "localhost", 421],
    ["http://evil.example:8000", "localhost", 421],
    ["HTTP://user@evil.example/v1/models", "localhost", 421],
    ["http://localhost:8000/v1/models", "evil.example", 200],
  ])("is judged by an absolute request target before the Host header: %s", async (target, host, status) => {
    const gateway = await startGateway(await startFake());
    expect((await send(gateway, "GET", target, { host })).status).toBe(status);
  });

  test("gets a bounded error message for a name of any length", async () => {
    const gateway = await startGateway(await startFake());
    const { status, text } = await send(gateway, "GET", "/health", { host: `${"x".repeat(8000)}.example` });
    expect([status, text.length < 500]).toEqual([421, true]);
  });
});

test.each([
  "localhost:8000",
  "127.0.0.1:8000",
  "[::1]:8000",
  "192.168.1.5",
  "llm.localhost",
  "host.docker.internal:8000",
  "host.containers.internal",
  hostname(),
])("serves requests for %s by default", async (host) => {
  const gateway = await startGateway(await startFake());
  expect((await send(gateway, "GET", "/v1/models", { host })).status).toBe(200);
});

test("ALLOWED_HOSTS allows names and complete domains", async () => {
  const environment = { ALLOWED_HOSTS: "llm.example.org, .corp.example" };
  const gateway = await startGateway(await startFake(), environment);
  const statusFor = async (host: string) => (await send(gateway, "GET", "/health", { host })).status;
  expect(await statusFor("llm.example.org:8000")).toBe(200);
  expect(await statusFor("a.corp.example")).toBe(200);
  expect(await statusFor("localhost")).toBe(200);
  expect(await statusFor("evil.example")).toBe(421);
  const open = await startGateway(await startFake(), { ALLOWED_HOSTS: "*" });
  expect((await send(open, "GET", "/health", { host: "evil.example" })).status).toBe(200);
});

test("a gateway with keys serves clients with a key under any name", async () => {
  const { key, line } = newKey("ada", []);
  const gateway = await startGateway(await startFake(), { API_KEYS: line });
  const host = "llm.example.org";
  expect((await send(gateway, "GET", "/v1/models", { host, authorization: `Bearer ${key}` })).status).toBe(
    200,
  );
  expect((await send(gateway, "GET", "/v1/models", { host })).status).toBe(401);
  expect((await send(gateway, "GET", "/health", { host })).status).toBe(200);
});

test("a gateway with keys rejects other names if ALLOWED_HOSTS is set", async () => {
  const { key, line } = newKey("ada", []);
  const environment = { API_KEYS: line, ALLOWED_HOSTS: "llm.example.org" };
  const gateway = await startGateway(await startFake(), environment);
  const authorization = `Bearer ${key}`;
  const statusFor = async (host: string) =>
    (await send(gateway, "GET", "/v1/models", { host, authorization })).status;
  expect([await statusFor("llm.example.org"), await statusFor("evil.example")]).toEqual([200, 421]);
});

describe("a page of another site", () => {
  const origin = "https://evil.example";

  // What a browser sends without a preflight request.
  test.each([
    ["text/plain", body],
    ["application/x-www-form-urlencoded", "model=m"],
    [
      "multipart/form-data; boundary=x",
      '--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n--x--\r\n',
    ],
    ["text/plain; x=application/json", body],
    ["", body],
  ])("cannot make the gateway work with a body of type '%s'", async (type, content) => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    const headers = { host: "localhost:8000", origin, "sec-fetch-site": "cross-site" };
    for (const path of [chat, "/v1/embeddings", "/v1/messages", "/api/chat", "/api/generate", "/api/embed"]) {
      const typed = type === "" ? {} : { "content-type": type };
      expect((await send(gateway, "POST", path, { ...headers, ...typed }, content)).status).toBe(403);
    }
    expect(fake.received).toHaveLength(0);
    expect(fake.loads).toHaveLength(0);
  });

  test("may neither send JSON nor read responses", async () => {
    const gateway = await startGateway(await startFake());
    const preflightHeaders = {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type",
    };
    for (const path of [chat, "/api/chat"]) {
      const preflight = await send(gateway, "OPTIONS", path, preflightHeaders);
      expect(preflight.status).toBeGreaterThanOrEqual(400);
      expect(preflight.headers["access-control-allow-origin"]).toBeUndefined();
    }
    const { headers } = await send(gateway, "GET", "/v1/models", { origin });
    expect(headers["access-control-allow-origin"]).toBeUndefined();
  });
});
