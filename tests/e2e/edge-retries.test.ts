import { fetch } from "undici";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type EdgeContainer, startEdge } from "../../test-support/stack/edge-container.ts";

// An edge with a stack's configuration, and gateways that crash on request.

let edge: EdgeContainer;

interface RequestOptions {
  readonly method?: string;
  readonly path?: string;
  /** Bytes of the body; none by default. */
  readonly length?: number;
  /** Whether the body is chunked, without a Content-Length. */
  readonly isChunked?: boolean;
  readonly headers?: Record<string, string>;
}

/** @param crash whether a gateway crashes when it has received the request */
function send(id: string, options: RequestOptions, crash = false) {
  const { method = "POST", path = "/v1/chat/completions", length = 0, isChunked = false, headers } = options;
  const body = Buffer.alloc(length, "x");
  return fetch(edge.url + path, {
    method,
    headers: { id, ...headers, ...(crash ? { crash: "yes" } : {}) },
    ...(length === 0 ? {} : { body: isChunked ? new Blob([body]).stream() : body, duplex: "half" }),
  });
}

/** The gateways that a request has reached. */
async function fetchReached(id: string): Promise<string[] | undefined> {
  const response = await fetch(`${edge.url}/reached`);
  return ((await response.json()) as Record<string, string[]>)[id];
}

/** Restores both gateways, and waits until the edge sends requests to the first. */
async function restoreGateways(): Promise<void> {
  const firstResponds = async () => {
    await fetch(`${edge.url}/restore`);
    const response = await fetch(edge.url, { method: "POST", body: "x" });
    expect(await response.json()).toEqual({ gateway: "first", bytes: 1 });
  };
  await vi.waitFor(firstResponds, { timeout: 15_000, interval: 100 });
}

beforeAll(async () => {
  const program = "tests/e2e/crashing-gateway.ts";
  edge = await startEdge({ name: "ollama-stack-retries", mode: "http", program, ports: [8001, 8002] });
});
afterAll(() => edge.dispose());

const requests: readonly [string, RequestOptions][] = [
  ["a chat request", { length: 1000 }],
  ["a long chat request", { length: 999_999 }],
  ["a chunked chat request", { length: 5000, isChunked: true }],
  ["a chat request with images", { length: 3_000_000 }],
  ["an upload of a model file", { length: 5000, path: "/api/blobs/sha256:0" }],
  ["a deletion", { length: 20, method: "DELETE", path: "/api/delete" }],
];

describe("a request that crashes its gateway", () => {
  // The edge has idle connections to both gateways: Go's client retries some requests on those by itself.
  const bodiless: readonly [string, RequestOptions][] = [
    ["GET", { method: "GET", path: "/v1/models" }],
    ["HEAD", { method: "HEAD", path: "/v1/models" }],
    ["a POST without a body but with Idempotency-Key", { headers: { "Idempotency-Key": "1" } }],
    ["a POST without a body but with X-Idempotency-Key", { headers: { "X-Idempotency-Key": "1" } }],
  ];

  // Each of these once crashed both gateways, five times.
  it.each([...requests, ...bodiless])("reaches no other gateway: %s", async (name, options) => {
    await restoreGateways();
    const response = await send(name, options, true);
    expect(response.status).toBe(502);
    // This keeps the SDKs of OpenAI and Anthropic from retrying.
    expect(response.headers.get("x-should-retry")).toBe("false");
    if (options.method !== "HEAD")
      expect(await response.json()).toMatchObject({ error: { code: "gateway_unreachable" } });
    // Usually the first, unless a health check from before the restore has just failed.
    expect(await fetchReached(name)).toHaveLength(1);
  });
});

describe("while a gateway is down and the edge has not noticed yet", () => {
  it.each(requests)("the other gateway receives all of %s", async (name, options) => {
    await restoreGateways();
    await send(`before: ${name}`, { length: 1 }, true);
    const response = await send(`next: ${name}`, options);
    const [crashed] = (await fetchReached(`before: ${name}`)) ?? [];
    const other = crashed === "first" ? "second" : "first";
    expect(await response.json()).toEqual({ gateway: other, bytes: options.length });
    expect(await fetchReached(`next: ${name}`)).toEqual([other]);
  });
});
