import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { bundleGateway } from "../../components/resources/gateway-image/bundle.ts";
import type { FakeOllama } from "../../test-support/fakes/ollama/fake-ollama.ts";
import { last, token } from "../../test-support/fakes/ollama/steps.ts";
import {
  errorOf,
  eventually,
  hello,
  readEvents,
  startFake,
} from "../../test-support/gateway/gateway-harness.ts";
import { startRedis } from "../../test-support/gateway/shared-gateways.ts";

const source = join(import.meta.dirname, "../../gateway/src");

interface Server {
  readonly url: string;
  readonly process: ChildProcess;
  readonly exited: Promise<number | null>;
  output(): string;
  post(path: string, body: object): Promise<Response>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

function run(entry: string, environment: Record<string, string>): Omit<Server, "url" | "post"> {
  const child = spawn(process.execPath, [entry], { env: { ...process.env, ...environment } });
  let output = "";
  child.stdout.on("data", (piece) => (output += String(piece)));
  child.stderr.on("data", (piece) => (output += String(piece)));
  onTestFinished(() => void child.kill("SIGKILL"));
  const exited = once(child, "close").then(([code]) => code as number | null);
  return { process: child, exited, output: () => output };
}

async function start(
  fake: FakeOllama,
  environment: Record<string, string> = {},
  entry?: string,
): Promise<Server> {
  const port = await freePort();
  const ollama = { PORT: `${port}`, LLM_SERVICE_PORT: `${fake.port}` };
  const server = run(entry ?? join(source, "server.ts"), { ...ollama, ...environment });
  await eventually(() => server.output().includes("Server listening") || undefined);
  const url = `http://127.0.0.1:${port}`;
  const headers = { "content-type": "application/json" };
  const post = (path: string, body: object): Promise<Response> =>
    fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
  return { ...server, url, post };
}

describe("on SIGTERM", () => {
  test.each([false, true])(
    "finishes requests in flight (streamed: %j), rejects new ones and exits with 0",
    async (stream) => {
      const fake = await startFake();
      const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
      fake.respondWith(
        ...(stream ? [token("Hel")] : []),
        { until: released },
        last({ message: { content: "lo" } }),
      );
      const server = await start(fake);
      const inFlight = server.post("/v1/chat/completions", { ...hello, stream });
      await fake.conversation();
      server.process.kill("SIGTERM");
      await eventually(() => server.output().includes("draining") || undefined);

      expect((await fetch(`${server.url}/ready`)).status).toBe(503);
      expect((await fetch(`${server.url}/health`)).status).toBe(200);
      const refused = await server.post("/v1/chat/completions", hello);
      expect(refused.status).toBe(503);
      expect(refused.headers.has("retry-after")).toBe(true);
      expect((await errorOf(refused)).code).toBe("shutting_down");

      release(undefined);
      const response = await inFlight;
      expect(response.status).toBe(200);
      if (stream) expect((await readEvents(response)).data.at(-1)).toBe("[DONE]");
      else expect(await response.json()).toMatchObject({ choices: [{ message: { content: "lo" } }] });
      expect(await server.exited).toBe(0);
      expect(fake.received).toHaveLength(1);
    },
  );

  test("finishes all prompts of a request whose first prompt is in flight", async () => {
    const fake = await startFake();
    const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
    fake.respondWith({ until: released }, last({ response: "x" }));
    const server = await start(fake);
    const pending = server.post("/v1/completions", { model: "m", prompt: ["a", "b", "c"] });
    await fake.conversation();
    server.process.kill("SIGTERM");
    await eventually(() => server.output().includes("draining") || undefined);
    release(undefined);
    expect(((await (await pending).json()) as { choices: object[] }).choices).toHaveLength(3);
    expect(await server.exited).toBe(0);
  });

  test("is not delayed by a client with several prompts that does not read", async () => {
    const fake = await startFake();
    fake.respondWith(
      { raw: `${JSON.stringify({ response: "x".repeat(8_000_000), done: false })}\n` },
      last(),
    );
    const server = await start(fake, { SHUTDOWN_TIMEOUT_MS: "200" });
    const { hostname, port } = new URL(server.url);
    const body = JSON.stringify({ model: "m", prompt: ["a", "b"], stream: true });
    const socket = connect(Number(port), hostname).pause();
    onTestFinished(() => void socket.destroy());
    socket.write(
      `POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await fake.conversation();
    await new Promise((resolve) => setTimeout(resolve, 500));
    server.process.kill("SIGTERM");
    expect(await server.exited).toBe(0);
    expect(fake.received).toHaveLength(1);
  });

  test("ends requests that do not finish in time with an error, aborts their work and exits with 0", async () => {
    const fake = await startFake();
    fake.respondWith(token("Hel"), "hang");
    const server = await start(fake, { SHUTDOWN_TIMEOUT_MS: "200" });
    const response = await server.post("/v1/chat/completions", { ...hello, stream: true });
    server.process.kill("SIGTERM");
    const { data, brokenOff } = await readEvents(response);
    expect(data.at(-1)).toContain("shutting_down");
    expect(brokenOff).toBe(true);
    expect(await (await fake.conversation()).brokenOff).toBe(true);
    expect(await server.exited).toBe(0);
  });

  test("is not delayed by an idle connection", async () => {
    const server = await start(await startFake());
    await (await server.post("/v1/chat/completions", hello)).text();
    const before = Date.now();
    server.process.kill("SIGTERM");
    expect(await server.exited).toBe(0);
    expect(Date.now() - before).toBeLessThan(1500);
  });

  test("consoles see the drain, end cleanly after the last request and can connect to the next gateway", async () => {
    const fake = await startFake();
    const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
    fake.respondWith({ until: released }, last({ message: { content: "Hello" } }));
    // If consoles counted as requests, the drain would last this long.
    const server = await start(fake, { SHUTDOWN_TIMEOUT_MS: "600000" });
    const events = (): Promise<Response> => fetch(`${server.url}/admin/events`);
    const consoles = await Promise.all([events(), events()]);
    let seen = "";
    const ended = Promise.all(consoles.map((each) => readEvents(each, (text) => (seen = text))));
    const inFlight = server.post("/v1/chat/completions", hello);
    await fake.conversation();
    server.process.kill("SIGTERM");
    await eventually(() => seen.includes('"draining":true') || undefined);
    release(undefined);
    expect((await inFlight).status).toBe(200);
    // The event streams end cleanly instead of being cut off.
    expect((await ended).map(({ brokenOff }) => brokenOff)).toEqual([false, false]);
    expect(await server.exited).toBe(0);

    const { port } = new URL(server.url);
    await start(fake, { PORT: port });
    const again = await events();
    expect(again.status).toBe(200);
    await again.body?.cancel();
  });

  test("exits at once on a second signal", async () => {
    const fake = await startFake();
    fake.respondWith("hang");
    const server = await start(fake);
    const cutOff = expect(server.post("/v1/chat/completions", hello)).rejects.toThrow();
    await fake.conversation();
    server.process.kill("SIGTERM");
    await eventually(() => server.output().includes("draining") || undefined);
    server.process.kill("SIGINT");
    expect(await server.exited).toBe(3);
    await cutOff;
  });
});

// Sends tens of megabytes to a separate process.
const large = { timeout: 60_000 };

test("a body of nothing but structure does not exhaust the image's memory", large, async () => {
  const server = await start(await startFake(), { NODE_OPTIONS: "--max-old-space-size=384" });
  const headers = { "content-type": "application/json" };
  const body = `[${"{},".repeat(10e6)}0]`;
  const response = await fetch(`${server.url}/v1/chat/completions`, { method: "POST", headers, body });
  expect(response.status).toBe(400);
  expect((await server.post("/v1/chat/completions", hello)).status).toBe(200);
});

test.each([
  ["the connection limit", "2048"],
  ["the body budget", "8000"],
])(
  "survives 6,000 connections with incomplete bodies of almost 64 KiB thanks to %s",
  { timeout: 60_000 },
  async (_bound, connections) => {
    const server = await start(await startFake(), {
      NODE_OPTIONS: "--max-old-space-size=384 --max-semi-space-size=8",
      CONNECTIONS_LIMIT: connections,
    });
    const { hostname, port } = new URL(server.url);
    const head =
      "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    const sent = Buffer.from(`${head}content-length: 65500\r\n\r\n{"a":"${"x".repeat(65_000)}`);
    let connected = 0;
    const sockets = Array.from({ length: 6000 }, () => {
      const socket = connect(Number(port), hostname, () => (connected += 1));
      socket.on("error", () => undefined).resume();
      socket.write(sent);
      return socket;
    });
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    await eventually(() => connected === sockets.length || undefined, 50_000);
    const [, peakKib] =
      /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.process.pid}/status`, "utf8")) ?? [];
    expect(Number(peakKib) / 1024).toBeLessThan(512);
    for (const socket of sockets) socket.destroy();
    // Their memory is free again.
    await expect
      .poll(
        () =>
          server.post("/v1/chat/completions", hello).then(
            ({ status }) => status,
            () => 0,
          ),
        { timeout: 45_000 },
      )
      .toBe(200);
  },
);

test("SIGUSR2 toggles the log level between info and debug", async () => {
  const server = await start(await startFake());
  const probes = (): number => server.output().match(/"route":"\/health"/g)?.length ?? 0;
  const toggleTo = async (level: string): Promise<void> => {
    server.process.kill("SIGUSR2");
    await eventually(() => server.output().includes(`"log_level":"${level}"`) || undefined);
    await fetch(`${server.url}/health`);
  };
  await fetch(`${server.url}/health`);
  await toggleTo("debug");
  await eventually(() => probes() === 1 || undefined);
  await toggleTo("info");
  server.process.kill("SIGTERM");
  await server.exited;
  expect(probes()).toBe(1);
});

describe("on startup", () => {
  test("rejects an invalid environment with a line for each variable", async () => {
    const server = run(join(source, "server.ts"), { PORT: "99999", LOG_LEVEL: "loud" });
    expect(await server.exited).toBe(1);
    expect(server.output()).toMatch(/^PORT=99999: must be a whole number from 1 to 65535/m);
    expect(server.output()).toMatch(/^LOG_LEVEL=loud: must be one of/m);
    expect(server.output()).not.toContain("at ");
  });

  test("reports a port in use and exits", async () => {
    const fake = await startFake();
    const server = run(join(source, "server.ts"), { PORT: `${fake.port}` });
    expect(await server.exited).toBe(2);
    expect(server.output()).toMatch(/EADDRINUSE.*cannot listen/);
  });
});

describe("bundled into one file, as in the image", () => {
  const project = join(import.meta.dirname, "../..");
  const dist = mkdtempSync(join(tmpdir(), "gateway-dist-"));

  beforeAll(() => {
    bundleGateway(project, relative(project, dist));
  });

  afterAll(() => {
    rmSync(dist, { recursive: true });
  });

  test("serves requests and shuts down, and the health check reflects both", async () => {
    const fake = await startFake();
    const server = await start(fake, {}, join(dist, "server.cjs"));
    const response = await server.post("/v1/chat/completions", { ...hello, stream: true });
    expect((await readEvents(response)).data.at(-1)).toBe("[DONE]");
    const { port } = new URL(server.url);
    expect(await run(join(dist, "healthcheck.cjs"), { PORT: port }).exited).toBe(0);
    server.process.kill("SIGTERM");
    expect(await server.exited).toBe(0);
    expect(await run(join(dist, "healthcheck.cjs"), { PORT: port }).exited).toBe(1);
  });

  test("shares its state through the Redis client in its separate file", async () => {
    const [fake, redis] = await Promise.all([startFake(), startRedis()]);
    const server = await start(fake, { SHARED_STATE: redis.url }, join(dist, "server.cjs"));
    await expect
      .poll(() => fetch(`${server.url}/ready`).then((response) => response.json()))
      .toMatchObject({ status: "ready", shared_state: "up" });
    server.process.kill("SIGTERM");
    expect(await server.exited).toBe(0);
  });
});
