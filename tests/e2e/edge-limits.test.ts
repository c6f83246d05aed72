import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { Agent, fetch } from "undici";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { edgeOpenFiles } from "../../components/resources/edge-config/caddyfile.ts";
import { docker } from "../../engine/docker-cli.ts";
import { type EdgeContainer, startEdge } from "../../test-support/stack/edge-container.ts";

// What clients without a key can do to an edge with a stack's memory, limits and configuration.

const bodyTimeoutSeconds = 1;
const trusting = new Agent({ connect: { rejectUnauthorized: false } });
let edge: EdgeContainer;
let startedAt = "";

/** Waits until the edge serves a client with a key. */
async function waitUntilServing(): Promise<void> {
  const isServed = async () => {
    expect((await post("/", { key: "key" })).status).toBe(200);
  };
  await vi.waitFor(isServed, { timeout: 30_000, interval: 200 });
}

const inspectState = () =>
  docker(["container", "inspect", "--format", "{{.State.StartedAt}} {{.State.Running}}", edge.edge]);

function post(path: string, init: { readonly key?: string; readonly body?: string } = {}) {
  const headers = init.key === undefined ? {} : { authorization: `Bearer ${init.key}` };
  return fetch(edge.url + path, { method: "POST", dispatcher: trusting, headers, body: init.body ?? "{}" });
}

/** Opens a connection, sends `head`, and collects the response. The connection is closed when the test ends. */
async function open(head = "", isTls = true): Promise<{ readonly socket: Socket; text: string }> {
  const { port } = edge;
  const target = { host: "127.0.0.1", port };
  const socket = isTls
    ? connectTls({ ...target, servername: "localhost", rejectUnauthorized: false })
    : connectTcp(target);
  const connection = { socket, text: "" };
  socket.on("error", () => undefined).on("data", (chunk: Buffer) => (connection.text += chunk.toString()));
  onTestFinished(() => {
    socket.destroy();
  });
  await Promise.race([once(socket, isTls ? "secureConnect" : "connect"), once(socket, "close")]);
  socket.write(head);
  return connection;
}

const head = (path: string, length: number, more = "") =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${String(length)}\r\n${more}\r\n`;
const keyHeader = "Authorization: Bearer key\r\n";

async function readAccessLog(): Promise<{ request: Record<string, string>; status: number }[]> {
  const text = await docker(["container", "logs", edge.edge], { merge: true });
  const lines = text.split("\n").filter((line) => line.includes("http.log.access"));
  return lines.map((line) => JSON.parse(line) as { request: Record<string, string>; status: number });
}

beforeAll(async () => {
  const program = "tests/e2e/refusing-gateway.ts";
  const name = "ollama-stack-limits";
  edge = await startEdge({ name, mode: "internal", program, ports: [8000], bodyTimeoutSeconds });
  await waitUntilServing();
  startedAt = await inspectState();
});
afterAll(async () => {
  await trusting.close();
  await edge.dispose();
});

describe("an edge", () => {
  it("is not killed by 400 connections that announce 999,999 bytes and stop one byte short", async () => {
    const body = Buffer.alloc(999_998, "x");
    const connections = await Promise.all(
      Array.from({ length: 400 }, () => open(head("/v1/chat/completions", 999_999))),
    );
    for (const { socket } of connections) socket.write(body);
    // A connection that is closed before its body was read completely may lose its response.
    const pending = () => connections.filter(({ socket, text }) => text === "" && !socket.closed);
    await expect.poll(() => pending().length, { timeout: 60_000 }).toBe(0);
    // On a busy machine, some of the bodies arrive too late.
    const statuses = connections.map(({ text }) => text.slice("HTTP/1.1 ".length, "HTTP/1.1 401".length));
    expect(statuses).toContain("401");
    expect(statuses.filter((status) => !["", "401", "408", "499"].includes(status))).toEqual([]);
    expect((await post("/", { key: "key" })).status).toBe(200);
    expect(await inspectState()).toBe(startedAt);
  });

  it("negotiates HTTP/1.1, because Caddy cannot limit the 250 streams of an HTTP/2 connection", async () => {
    const socket = connectTls({
      ...{ host: "127.0.0.1", port: edge.port, servername: "localhost", rejectUnauthorized: false },
      ALPNProtocols: ["h2", "http/1.1"],
    });
    await once(socket, "secureConnect");
    expect(socket.alpnProtocol).toBe("http/1.1");
    socket.destroy();
  });

  it("continues a stream while clients open more connections than it may have, and serves again when they have closed", async () => {
    const stream = await post("/stream", { key: "key" });
    const connections = await Promise.all(Array.from({ length: edgeOpenFiles + 200 }, () => open("", false)));
    expect(await stream.text()).toMatch(/^0\n1\n[^]*19\nend\n$/);
    for (const { socket } of connections) socket.destroy();
    await waitUntilServing();
    expect(await inspectState()).toBe(startedAt);
  });

  it.each([
    ["sent without a key", "/v1/models", "", "no key"],
    ["over the limit", "/too-large", keyHeader, "too large"],
  ])("never parses the rest of a body %s as the next request", async (_, path, more, rejection) => {
    const connection = await open(`${head(path, 500_000, more)}first bytes`);
    await expect.poll(() => connection.text, { timeout: 15_000 }).toContain(rejection);
    connection.socket.write(`GET /smuggled HTTP/1.1\r\nHost: localhost\r\n${keyHeader}\r\n`);
    if (!connection.socket.closed) await once(connection.socket, "close");
    expect(connection.text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    await post("/v1/after-it", { key: "key" });
    await expect
      .poll(async () => JSON.stringify(await readAccessLog()), { timeout: 15_000 })
      .toContain("after-it");
    expect(JSON.stringify(await readAccessLog())).not.toContain("smuggled");
  });

  it("closes the connection of a client without a key", async () => {
    const connection = await open(`${head("/v1/models", 2)}{}`);
    await expect.poll(() => connection.socket.closed, { timeout: 15_000 }).toBe(true);
    expect(connection.text).toMatch(/^HTTP\/1\.1 401 [^]*\r\nconnection: close\r\n/i);
  });

  it("limits the total time of a body, but not that of a response or of a model file that keeps arriving", async () => {
    const dripping = async (path: string) => {
      const connection = await open(head(path, 1_000_000, keyHeader));
      const drip = setInterval(() => connection.socket.write("x"), 200);
      onTestFinished(() => {
        clearInterval(drip);
      });
      return connection;
    };
    const [chat, file, stream] = await Promise.all([
      dripping("/v1/chat/completions"),
      dripping("/api/blobs/sha256:0"),
      post("/stream", { key: "key" }),
    ]);
    await expect.poll(() => chat.text, { timeout: 60_000 }).toMatch(/^HTTP\/1\.1 (408|499) /);
    // It takes longer than a body may take.
    expect(await stream.text()).toMatch(/end\n$/);
    expect(file.text).toBe("");
    expect(file.socket.destroyed).toBe(false);
  });

  it("logs each request as JSON with the client's address, without query and headers, and logs no probes", async () => {
    await post("/v1/models?api_key=planted&x=planted#planted", { key: "planted" });
    await fetch(`${edge.url}/ready`, { dispatcher: trusting });
    await post("/v1/after", { key: "planted" });
    const uris = async () => (await readAccessLog()).map(({ request }) => request["uri"]);
    await expect.poll(uris, { timeout: 15_000 }).toContain("/v1/after");
    const line = (await readAccessLog()).findLast(({ request }) => request["uri"] === "/v1/models");
    expect(line).toMatchObject({
      time: expect.stringMatching(/^20\d\d-/) as string,
      status: 200,
      request: { method: "POST", client_ip: expect.stringMatching(/^[\d.]+$|:/) as string },
    });
    expect(JSON.stringify(await readAccessLog())).not.toContain("planted");
    expect(await uris()).not.toContain("/ready");
  });
});
