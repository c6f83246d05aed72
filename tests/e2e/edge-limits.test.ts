import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { Agent, fetch } from "undici";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { edgeOpenFiles } from "../../components/resources/edge-config/caddyfile.ts";
import { docker } from "../../engine/docker-cli.ts";
import { type EdgeContainer, startEdge } from "../../test-support/stack/edge-container.ts";

// What clients without a key can do to an edge with the memory, the limits and the configuration that a stack's has.

const bodyTimeoutSeconds = 1;
const trusting = new Agent({ connect: { rejectUnauthorized: false } });
let edge: EdgeContainer;
let startedAt = "";

/** Waits until somebody with a key is served. */
async function serves(): Promise<void> {
  const served = async () => {
    expect((await post("/", { key: "key" })).status).toBe(200);
  };
  await vi.waitFor(served, { timeout: 30_000, interval: 200 });
}

const inspected = () =>
  docker(["container", "inspect", "--format", "{{.State.StartedAt}} {{.State.Running}}", edge.edge]);

function post(path: string, init: { readonly key?: string; readonly body?: string } = {}) {
  const headers = init.key === undefined ? {} : { authorization: `Bearer ${init.key}` };
  return fetch(edge.url + path, { method: "POST", dispatcher: trusting, headers, body: init.body ?? "{}" });
}

/** A connection that has sent something, with all that came back, and that closes with the test. */
async function open(head = "", isTls = true): Promise<{ readonly socket: Socket; text: string }> {
  const { port } = edge;
  const target = { host: "127.0.0.1", port };
  const socket = isTls
    ? connectTls({ ...target, servername: "localhost", rejectUnauthorized: false })
    : connectTcp(target);
  const connection = { socket, text: "" };
  socket.on("error", () => undefined).on("data", (piece: Buffer) => (connection.text += piece.toString()));
  onTestFinished(() => {
    socket.destroy();
  });
  await Promise.race([once(socket, isTls ? "secureConnect" : "connect"), once(socket, "close")]);
  socket.write(head);
  return connection;
}

const head = (path: string, length: number, more = "") =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${String(length)}\r\n${more}\r\n`;
const key = "Authorization: Bearer key\r\n";

/** The lines of the access log. */
async function logged(): Promise<{ request: Record<string, string>; status: number }[]> {
  const text = await docker(["container", "logs", edge.edge], { merge: true });
  const lines = text.split("\n").filter((line) => line.includes("http.log.access"));
  return lines.map((line) => JSON.parse(line) as { request: Record<string, string>; status: number });
}

beforeAll(async () => {
  const program = "tests/e2e/refusing-gateway.ts";
  const name = "ollama-stack-limits";
  edge = await startEdge({ name, mode: "internal", program, ports: [8000], bodyTimeoutSeconds });
  await serves();
  startedAt = await inspected();
});
afterAll(async () => {
  await trusting.close();
  await edge.dispose();
});

describe("an edge", () => {
  it("is not killed by 400 connections that announce 999,999 bytes and stop one short", async () => {
    const body = Buffer.alloc(999_998, "x");
    const connections = await Promise.all(
      Array.from({ length: 400 }, () => open(head("/v1/chat/completions", 999_999))),
    );
    for (const { socket } of connections) socket.write(body);
    // A connection that is closed with some of its body unread may lose its response.
    const unanswered = () => connections.filter(({ socket, text }) => text === "" && !socket.closed);
    await expect.poll(() => unanswered().length, { timeout: 60_000 }).toBe(0);
    // On a busy machine, some of the bodies come too late.
    const statuses = connections.map(({ text }) => text.slice("HTTP/1.1 ".length, "HTTP/1.1 401".length));
    expect(statuses).toContain("401");
    expect(statuses.filter((status) => !["", "401", "408", "499"].includes(status))).toEqual([]);
    expect((await post("/", { key: "key" })).status).toBe(200);
    expect(await inspected()).toBe(startedAt);
  });

  it("has one request on a connection, not 250 of which Caddy could forbid none", async () => {
    const socket = connectTls({
      ...{ host: "127.0.0.1", port: edge.port, servername: "localhost", rejectUnauthorized: false },
      ALPNProtocols: ["h2", "http/1.1"],
    });
    await once(socket, "secureConnect");
    expect(socket.alpnProtocol).toBe("http/1.1");
    socket.destroy();
  });

  it("lets a stream go on while more connections are opened than it may have, and serves when they are gone", async () => {
    const stream = await post("/stream", { key: "key" });
    const connections = await Promise.all(Array.from({ length: edgeOpenFiles + 200 }, () => open("", false)));
    expect(await stream.text()).toMatch(/^0\n1\n[^]*19\nend\n$/);
    for (const { socket } of connections) socket.destroy();
    await serves();
    expect(await inspected()).toBe(startedAt);
  });

  it.each([
    ["without a key", "/v1/models", "", "no key"],
    ["that is too large", "/too-large", key, "too large"],
  ])("never takes the rest of a body %s for the next request", async (_, path, more, refusal) => {
    const connection = await open(`${head(path, 500_000, more)}first bytes`);
    await expect.poll(() => connection.text, { timeout: 15_000 }).toContain(refusal);
    connection.socket.write(`GET /smuggled HTTP/1.1\r\nHost: localhost\r\n${key}\r\n`);
    if (!connection.socket.closed) await once(connection.socket, "close");
    expect(connection.text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    await post("/v1/after-it", { key: "key" });
    await expect.poll(async () => JSON.stringify(await logged()), { timeout: 15_000 }).toContain("after-it");
    expect(JSON.stringify(await logged())).not.toContain("smuggled");
  });

  it("closes the connection of who has no key", async () => {
    const connection = await open(`${head("/v1/models", 2)}{}`);
    await expect.poll(() => connection.socket.closed, { timeout: 15_000 }).toBe(true);
    expect(connection.text).toMatch(/^HTTP\/1\.1 401 [^]*\r\nconnection: close\r\n/i);
  });

  it("gives a body its time in all, a model's file while it comes, and a response what it takes", async () => {
    const dripping = async (path: string) => {
      const connection = await open(head(path, 1_000_000, key));
      const drip = setInterval(() => connection.socket.write("x"), 200);
      onTestFinished(() => {
        clearInterval(drip);
      });
      return connection;
    };
    const [question, file, stream] = await Promise.all([
      dripping("/v1/chat/completions"),
      dripping("/api/blobs/sha256:0"),
      post("/stream", { key: "key" }),
    ]);
    await expect.poll(() => question.text, { timeout: 60_000 }).toMatch(/^HTTP\/1\.1 (408|499) /);
    // Longer than a body may take.
    expect(await stream.text()).toMatch(/end\n$/);
    expect(file.text).toBe("");
    expect(file.socket.destroyed).toBe(false);
  });

  it("logs each request as JSON with the client's address, without query and headers, but no probes", async () => {
    await post("/v1/models?api_key=planted&x=planted#planted", { key: "planted" });
    await fetch(`${edge.url}/ready`, { dispatcher: trusting });
    await post("/v1/after", { key: "planted" });
    const uris = async () => (await logged()).map(({ request }) => request["uri"]);
    await expect.poll(uris, { timeout: 15_000 }).toContain("/v1/after");
    const line = (await logged()).findLast(({ request }) => request["uri"] === "/v1/models");
    expect(line).toMatchObject({
      time: expect.stringMatching(/^20\d\d-/) as string,
      status: 200,
      request: { method: "POST", client_ip: expect.stringMatching(/^[\d.]+$|:/) as string },
    });
    expect(JSON.stringify(await logged())).not.toContain("planted");
    expect(await uris()).not.toContain("/ready");
  });
});
