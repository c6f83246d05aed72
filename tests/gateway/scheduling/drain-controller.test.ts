import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import fastify from "fastify";
import { expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import type { AppContext } from "../../../gateway/src/app-context.ts";
import { healthRoutes } from "../../../gateway/src/routes/ops/health.ts";
import { DrainController } from "../../../gateway/src/scheduling/drain-controller.ts";
import { controlled } from "../../../test-support/gateway/controlled-gateway.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  eventually,
  hello,
  metric,
  readEvents,
  startFake,
  type TestGateway,
} from "../../../test-support/gateway/gateway-harness.ts";

const accepting = async ({ url }: TestGateway) => (await fetch(`${url}/accepting`)).status;
const stream = { ...hello, stream: true };

test("accepts traffic from an edge once it has probed its servers, even if none is up", async () => {
  const gone = await startFake();
  await gone.stop();
  const gateway = await controlled([gone]);
  await expect.poll(() => accepting(gateway)).toBe(200);
});

test("a draining gateway fails the edge's probe, keeps serving, and reports when no request is in flight", async () => {
  const fake = await startFake();
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.respondWith(token("Hel"), { until: released }, token("lo"), last());
  const gateway = await controlled([fake]);
  await expect.poll(() => accepting(gateway)).toBe(200);
  const open = await gateway.post("/v1/chat/completions", stream);
  const drain = gateway.control("drain", "600");
  await expect.poll(() => accepting(gateway)).toBe(503);
  // The edge has not noticed yet.
  fake.respondWith(token("late"), last());
  const late = await gateway.post("/v1/chat/completions", hello);
  // The client's next connection goes to another gateway.
  expect([late.status, late.headers.get("connection")]).toEqual([200, "close"]);
  release(undefined);
  const { data, brokenOff } = await readEvents(open);
  expect({ last: data.at(-1), brokenOff }).toEqual({ last: "[DONE]", brokenOff: false });
  expect(await drain).toEqual({ code: 0, output: "" });
});

test("keeps an announced keep-alive connection open until a response sends Connection: close", async () => {
  const fake = await startFake();
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.respondWith(token("Hel"), { until: released }, token("lo"), last());
  const gateway = await controlled([fake]);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const post = async (body: object) => {
    const sent = request(`${gateway.url}/v1/chat/completions`, {
      agent,
      method: "POST",
      headers: { "content-type": "application/json" },
    }).end(JSON.stringify(body));
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    return response;
  };
  const began = await post(stream);
  expect(began.headers.connection).toBe("keep-alive");
  const { socket } = began;
  const drain = gateway.control("drain", "600", "1");
  await expect.poll(() => accepting(gateway)).toBe(503);
  // Sent as soon as the connection is free, as an edge does that has not noticed the drain.
  fake.respondWith(token("next"), last());
  const next = post(hello);
  release(undefined);
  expect((await text(began)).trimEnd().endsWith("[DONE]")).toBe(true);
  const { headers, statusCode, socket: same } = await next;
  expect({ statusCode, connection: headers.connection, isSame: same === socket }).toEqual({
    statusCode: 200,
    connection: "close",
    isSame: true,
  });
  expect(await drain).toEqual({ code: 0, output: "" });
});

test("a drained gateway that returns accepts traffic from the edge again", async () => {
  const gateway = await controlled([await startFake()]);
  await expect.poll(() => accepting(gateway)).toBe(200);
  expect(await gateway.control("return")).toEqual({ code: 0, output: "" });
  const drain = gateway.control("drain", "600");
  await expect.poll(() => accepting(gateway)).toBe(503);
  await drain;
  expect(await gateway.control("drained")).toEqual({ code: 0, output: "this gateway\n" });
  expect(await gateway.control("return")).toEqual({ code: 0, output: "" });
  expect(await accepting(gateway)).toBe(200);
});

const longMs = 60_000;
const times = { unknownMs: longMs, edgeMs: Infinity, maxMs: longMs, inTransitMs: 1 };

/** A drain controller without requests. */
function idleController(): {
  readonly controller: DrainController;
  readonly hasEnded: () => boolean;
  drain: () => Promise<void>;
} {
  const pool = { probed: true, all: [], refresh: () => Promise.resolve() };
  const idle = { scheduler: { active: 0, draining: false }, forwarded: { active: 0 } };
  const controller = new DrainController(idle, pool, [], times);
  let hasEnded = false;
  const drain = () =>
    controller
      .drainSelf(0, () => undefined)
      .then(() => {
        hasEnded = true;
      });
  return { controller, hasEnded: () => hasEnded, drain };
}

test("a drain waits until the edge's probe has failed, not only for a fixed time", async () => {
  const { controller, hasEnded, drain } = idleController();
  expect(controller.acceptsProbe()).toBe(true);
  const draining = drain();
  await sleep(200);
  expect(hasEnded()).toBe(false);
  expect(controller.acceptsProbe()).toBe(false);
  await draining;
});

test("a request for /accepting forwarded by the edge does not end the wait for the edge's own probe", async () => {
  const { controller, hasEnded, drain } = idleController();
  const app = fastify();
  healthRoutes(
    app,
    { drainController: controller, config: { REQUIRED_MODELS: [] } } as unknown as AppContext,
    {
      isEmpty: true,
    },
  );
  const probe = async (headers: Record<string, string> = {}) =>
    (await app.inject({ url: "/accepting", headers })).statusCode;
  expect(await probe()).toBe(200);
  const draining = drain();
  // The edge adds the client's address to requests that it forwards.
  expect(await probe({ "x-forwarded-for": "192.0.2.1" })).toBe(503);
  await sleep(200);
  expect(hasEnded()).toBe(false);
  expect(await probe()).toBe(503);
  await draining;
  await app.close();
});

test("a drain waits for a pull", async () => {
  const fake = await startFake();
  fake.respondWith({ line: { status: "pulling" } }, "hang");
  const { key, line } = newKey("root", ["admin"]);
  const gateway = await controlled([fake], { API_KEYS: line });
  const headers = { "content-type": "application/json", "x-api-key": key };
  const pull = await gateway.post("/api/pull", { model: "m" }, { headers });
  expect((await gateway.control("drain", "1")).output).toContain("1 request did not finish within 1 s");
  await pull.body?.cancel();
});

test("a drain that times out reports the requests that will be aborted", async () => {
  const fake = await startFake();
  fake.respondWith(token("Hel"), "hang");
  const gateway = await controlled([fake]);
  await gateway.post("/v1/chat/completions", stream);
  expect(await gateway.control("drain", "1")).toEqual({
    code: 0,
    output: "1 request did not finish within 1 s and will be aborted\n",
  });
});

test("a drained server finishes its requests and gets no new ones until it is returned", async () => {
  const [one, two] = [await startFake(), await startFake()];
  const gateway = await controlled([one, two], { OLLAMA_NUM_PARALLEL: "1" });
  const name = `127.0.0.1:${one.port}`;
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  one.respondWith(token("Hel"), { until: released }, token("lo"), last());
  await metric(gateway.url, `gateway_backend_up{backend="127.0.0.1:${two.port}"} 1`);
  const open = await gateway.post("/v1/chat/completions", stream);
  expect(one.received.length).toBe(1);
  let drained = false;
  const drain = gateway.control("drain", name, "600").then((result) => {
    drained = true;
    return result;
  });
  await eventually(() => gateway.log.find((line) => line.includes(`"act":"drain"`)));
  for (let i = 0; i < 3; i++) expect((await gateway.post("/v1/chat/completions", hello)).status).toBe(200);
  expect([one.received.length, two.received.length]).toEqual([1, 3]);
  expect(drained).toBe(false);
  release();
  const { data, brokenOff } = await readEvents(open);
  expect({ last: data.at(-1), brokenOff }).toEqual({ last: "[DONE]", brokenOff: false });
  expect(await drain).toEqual({ code: 0, output: "" });

  expect(await gateway.control("drained")).toEqual({ code: 0, output: `${name}\n` });
  expect(await gateway.control("return", name)).toEqual({ code: 0, output: "" });
  expect(await gateway.control("drained")).toEqual({ code: 0, output: "" });
  // A new conversation: the previous one keeps its affinity to the other server.
  const other = { ...hello, messages: [{ role: "user", content: "Is anybody back?" }] };
  await gateway.post("/v1/chat/completions", other);
  expect(one.received.length).toBe(2);
});

test("does not drain the only server that is up", async () => {
  const [one, gone] = [await startFake(), await startFake()];
  await gone.stop();
  const gateway = await controlled([one, gone]);
  await expect.poll(() => accepting(gateway)).toBe(200);
  const name = `127.0.0.1:${one.port}`;
  const drain = gateway.control("drain", name, "1");
  const { code, output } = await drain;
  expect(code).toBe(0);
  expect(output).toBe(`no other Ollama server could take over from ${name}: its requests will fail\n`);
  expect((await gateway.post("/v1/chat/completions", hello)).status).toBe(200);
});

test("names an unknown server and the gateway's own backends", async () => {
  const fake = await startFake();
  const gateway = await controlled([fake]);
  expect(await gateway.control("drain", "other:1", "1")).toEqual({
    code: 1,
    output: `other:1 is not a backend of this gateway; it has 127.0.0.1:${fake.port}\n`,
  });
});

test.each([
  [
    ["nonsense"],
    "known are: drain SECONDS NOTICE_SECONDS, drain HOST:PORT SECONDS, return, return HOST:PORT, drained, reload-keys, usage MONTH",
  ],
  [["drain", "soon"], "SECONDS must be a number"],
])("rejects the control command %j with a usage message", async (args, line) => {
  const gateway = await controlled([await startFake()]);
  expect(await gateway.control(...args)).toEqual({ code: 1, output: `${line}\n` });
  expect(await accepting(gateway)).toBe(200);
});

test("reports a gateway that does not listen on the control socket", async () => {
  const gateway = await controlled([await startFake()], { CONTROL_SOCKET: "" });
  const { code, output } = await gateway.control("drain", "1");
  expect(code).toBe(1);
  expect(output).toMatch(/^the gateway does not respond: .*ENOENT/);
});
