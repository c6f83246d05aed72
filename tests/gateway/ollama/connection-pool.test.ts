import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import { type AddressInfo, type Socket, createServer as createTcpServer } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { ConnectionPool } from "../../../gateway/src/ollama/connection-pool.ts";
import { Delivery } from "../../../gateway/src/ollama/delivery.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A server that records its connections, and a pool for it. */
async function startServer(handler: Handler) {
  const connections = new Set<Socket>();
  const server = createServer(handler).on("connection", (socket) => connections.add(socket));
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const pool = poolFor(port);
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const get = async (path: string, signal?: AbortSignal): Promise<string> => {
    const options = { method: "GET" as const, path, ...(signal && { signal }) };
    const { body } = await pool.request(options, new Delivery());
    const text = await body.text();
    // undici frees a connection in the next turn of the event loop, once it knows that the server has not closed it.
    await nextTurn();
    return text;
  };
  return { connections, pool, get };
}

function poolFor(port: number): ConnectionPool {
  const pool = new ConnectionPool(`http://127.0.0.1:${port}`, { connectMs: 10_000, keepAliveMs: 60_000 });
  closers.push(() => pool.destroy());
  return pool;
}

test("sequential requests share a connection, concurrent ones have one each", async () => {
  const waiting: ServerResponse[] = [];
  const { connections, get } = await startServer(({ url }, response) => {
    if (url === "/wait") waiting.push(response);
    else response.end("now");
  });
  for (let n = 0; n < 5; n += 1) expect(await get("/")).toBe("now");
  expect(connections.size).toBe(1);
  const held = [get("/wait"), get("/wait"), get("/wait")];
  await expect.poll(() => waiting.length).toBe(3);
  expect(connections.size).toBe(3);
  expect(await get("/")).toBe("now");
  expect(connections.size).toBe(4);
  for (const response of waiting) response.end("later");
  expect(await Promise.all(held)).toEqual(["later", "later", "later"]);
  for (let n = 0; n < 5; n += 1) await Promise.all([get("/"), get("/"), get("/"), get("/")]);
  expect(connections.size).toBe(4);
});

test("the delivery of a request tracks the connection of that request", async () => {
  const { pool, connections } = await startServer((_request, response) => response.end());
  const deliveries = [new Delivery(), new Delivery()];
  const requests = deliveries.map((each) => pool.request({ method: "GET", path: "/" }, each));
  for (const { body } of await Promise.all(requests)) await body.dump();
  const ports = deliveries.map(({ connection }) => connection?.socket?.localPort);
  expect(new Set(ports)).toEqual(new Set([...connections].map(({ remotePort }) => remotePort)));
  expect(deliveries.map(({ stage }) => stage)).toEqual(["responding", "responding"]);
});

test("an aborted request closes its connection, and the next one opens another", async () => {
  const { connections, get } = await startServer(({ url }, response) => {
    if (url === "/now") response.end("now");
  });
  for (let n = 1; n <= 3; n += 1) {
    const controller = new AbortController();
    const hanging = get("/never", controller.signal);
    await expect.poll(() => connections.size).toBe(n);
    controller.abort(new Error("no longer needed"));
    await expect(hanging).rejects.toThrow("no longer needed");
  }
  expect(await get("/now")).toBe("now");
  expect(await get("/now")).toBe("now");
  expect(connections.size).toBe(4);
});

test("after refused connections, the pool connects again", async () => {
  const reserved = createTcpServer();
  await new Promise<void>((resolve) => {
    reserved.listen(0, "127.0.0.1", resolve);
  });
  const { port } = reserved.address() as AddressInfo;
  await new Promise((resolve) => reserved.close(resolve));
  const pool = poolFor(port);
  const get = () => pool.request({ method: "GET", path: "/" }, new Delivery());
  for (let n = 0; n < 3; n += 1) await expect(get()).rejects.toMatchObject({ code: "ECONNREFUSED" });

  const server = createServer((_request, response) => response.end());
  let connections = 0;
  server.on("connection", () => (connections += 1));
  await new Promise<void>((resolve) => {
    server.listen(port, "127.0.0.1", resolve);
  });
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  for (let n = 0; n < 3; n += 1) {
    const { body } = await get();
    await body.dump();
    await nextTurn();
  }
  expect(connections).toBe(1);
});

test("a request with an invalid path is rejected, and its connection remains usable", async () => {
  const { connections, get } = await startServer((_request, response) => response.end("now"));
  expect(await get("/")).toBe("now");
  await expect(get("/a b")).rejects.toThrow("invalid request path");
  expect(await get("/")).toBe("now");
  expect(connections.size).toBe(1);
});

test.each(["close", "destroy"] as const)("after %s, requests are rejected", async (method) => {
  const { pool, get } = await startServer((_request, response) => response.end("now"));
  await get("/");
  await pool[method]();
  await expect(get("/")).rejects.toThrow(/closed|destroyed/);
  await expect(Promise.all([get("/"), get("/")])).rejects.toThrow(/closed|destroyed/);
});

test("close waits for requests in flight", async () => {
  let respond = (): void => undefined;
  const { pool, get } = await startServer((_request, response) => {
    respond = () => response.end("complete");
  });
  const before = respond;
  const inFlight = get("/");
  await expect.poll(() => respond !== before).toBe(true);
  const closing = pool.close();
  respond();
  expect(await inFlight).toBe("complete");
  await closing;
});
