import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import type { z } from "zod";
import { events } from "../../../gateway/src/admin/contract/events.ts";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { admin, bearer, threeKeys } from "../../../test-support/gateway/admin-api.ts";
import { FakeOllama } from "../../../test-support/fakes/ollama/fake-ollama.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  errorOf,
  eventually,
  hello,
  metric,
  startFake,
  startGateway,
  type TestGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import { postChat, fileOf } from "../../../test-support/gateway/key-requests.ts";
import { controlIntervals } from "../../../test-support/gateway/repeating-timers.ts";

const chat = "/v1/chat/completions";

type EventName = keyof typeof events;

interface EventStream {
  readonly response: Response;
  readonly text: () => string;
  readonly of: <Kind extends EventName>(name: Kind) => z.infer<ReturnType<(typeof events)[Kind]>>[];
  readonly ended: Promise<void>;
  close(): void;
}

let intervals: ReturnType<typeof controlIntervals>;
beforeEach(() => {
  intervals = controlIntervals();
});

/** Fires everything that runs once per second, such as the check for changes. */
function tick(): void {
  intervals.pass(1000);
}

/** Ticks until the function returns a value. */
function tickUntil<T>(find: () => T | undefined): Promise<T> {
  return eventually(() => {
    const found = find();
    if (found === undefined) tick();
    return found;
  });
}

/** Opens the event stream. Each event must match the contract. */
async function watch(gateway: TestGateway, key?: string): Promise<EventStream> {
  const client = new AbortController();
  onTestFinished(() => {
    client.abort();
  });
  const response = await fetch(`${gateway.url}/admin/events`, {
    headers: bearer(key),
    signal: client.signal,
  });
  let text = "";
  const read = async (): Promise<void> => {
    for await (const piece of response.body ?? []) text += Buffer.from(piece as Uint8Array).toString();
  };
  const ended = read().catch(() => undefined);
  const of = <Kind extends EventName>(name: Kind) =>
    text
      .split("\n\n")
      .slice(0, -1)
      .flatMap((each) => {
        const [, event, data = ""] = /^event: (\w+)\ndata: (.*)$/.exec(each) ?? [];
        return event === name
          ? [events[name]().strict().parse(JSON.parse(data)) as z.infer<ReturnType<(typeof events)[Kind]>>]
          : [];
      });
  return {
    response,
    text: () => text,
    of,
    ended,
    close: () => {
      client.abort();
    },
  };
}

test("streams the phases of a request and its end", async () => {
  const fake = await startFake();
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.respondWith(token("a"), { until: released }, last());
  const gateway = await startGateway(fake);
  const stream = await watch(gateway);
  expect([stream.response.status, stream.response.headers.get("content-type")]).toEqual([
    200,
    "text/event-stream; charset=utf-8",
  ]);
  expect(stream.response.headers.get("cache-control")).toBe("no-store");
  await eventually(() => stream.of("overview")[0]);
  const response = gateway.post(chat, { ...hello, stream: true });
  await tickUntil(() => stream.of("overview").find(({ requests }) => requests[0]?.phase === "generating"));
  release(undefined);
  await (await response).text();
  expect(await tickUntil(() => stream.of("request")[0])).toMatchObject({ status: 200, generated_tokens: 3 });
  await tickUntil(() => (stream.of("overview").at(-1)?.requests.length === 0 ? true : undefined));
  // A finished request is sent only once.
  expect(stream.of("request")).toHaveLength(1);
});

test("sends an overview only after a change", async () => {
  const fake = await startFake();
  fake.respondWith("hang");
  const gateway = await startGateway(fake, { POLL_INTERVAL_MS: "1000" });
  const client = new AbortController();
  const aborted = gateway.post(chat, hello, { signal: client.signal });
  await fake.conversation();
  await expect.poll(async () => (await admin(gateway, "overview")).models.installed).toHaveLength(1);
  const stream = await watch(gateway);
  await eventually(() => stream.of("overview")[0]);
  // Its events prove that the ticks have reached the first stream, too.
  const other = await watch(gateway);
  for (let n = 0; n < 3; n += 1) {
    await gateway.post("/v1/embeddings", { model: "m" });
    await tickUntil(() => other.of("request")[n]);
  }
  expect(stream.of("overview")).toHaveLength(1);
  client.abort();
  await expect(aborted).rejects.toThrow();
  await tickUntil(() => stream.of("overview")[1]);
});

test("reports a server that becomes unreachable", async () => {
  const fake = await FakeOllama.start();
  const gateway = await startGateway(fake, { POLL_INTERVAL_MS: "1000" });
  const stream = await watch(gateway);
  await tickUntil(() => stream.of("overview").find(({ backends }) => backends[0]?.state === "available"));
  await fake.stop();
  await tickUntil(() => stream.of("overview").find(({ backends }) => backends[0]?.state === "unreachable"));
});

test("shows a key only its own requests", async () => {
  const { ada, bob, API_KEYS } = threeKeys();
  const gateway = await startGateway(await startFake(), { API_KEYS });
  const stream = await watch(gateway, bob);
  await (await postChat(gateway, ada)).text();
  await (await postChat(gateway, bob)).text();
  await tickUntil(() => stream.of("request")[0]);
  expect(stream.of("request").map(({ key }) => key)).toEqual(["bob"]);
  expect(stream.text()).not.toContain("ada");
  expect(stream.text()).not.toContain("127.0.0.1");
});

test("sends the last 50 requests of a burst and the number of skipped ones", async () => {
  const gateway = await startGateway(await startFake());
  const stream = await watch(gateway);
  await eventually(() => stream.of("overview")[0]);
  await Promise.all(
    Array.from({ length: 400 }, () => gateway.post(chat, { model: 1 }).then((each) => each.text())),
  );
  await gateway.requestLine(chat, 399);
  tick();
  expect(await eventually(() => stream.of("skipped")[0])).toEqual({ requests: 350 });
  expect(stream.of("request")).toHaveLength(50);
});

test("limits open consoles to 32 and accepts another one after one has closed", async () => {
  const gateway = await startGateway(await startFake());
  const open = await Promise.all(Array.from({ length: 32 }, () => watch(gateway)));
  expect(open.every(({ response }) => response.status === 200)).toBe(true);
  const rejected = await fetch(`${gateway.url}/admin/events`);
  expect([rejected.status, rejected.headers.get("retry-after")]).toEqual([503, "10"]);
  expect(await errorOf(rejected)).toMatchObject({
    code: "consoles_full",
    message: expect.stringContaining("limit of 32 open consoles") as string,
  });
  open[0]?.close();
  await expect
    .poll(async () => {
      const next = await watch(gateway);
      if (next.response.status !== 200) next.close();
      return next.response.status;
    })
    .toBe(200);
});

test("limits a key without the admin flag to 8 consoles", async () => {
  const { ada, bob, root, API_KEYS } = threeKeys();
  const gateway = await startGateway(await startFake(), { API_KEYS });
  const open = await Promise.all(Array.from({ length: 8 }, () => watch(gateway, ada)));
  expect(open.map(({ response }) => response.status)).toEqual(open.map(() => 200));
  expect((await watch(gateway, ada)).response.status).toBe(503);
  for (const key of [bob, root]) expect((await watch(gateway, key)).response.status).toBe(200);
});

test("reserves 8 consoles for admin keys", async () => {
  const [keys, root] = [["a", "b", "c", "d"].map((name) => newKey(name, [])), newKey("root", ["admin"])];
  const gateway = await startGateway(await startFake(), {
    API_KEYS: [...keys, root].map(({ line }) => line).join(";"),
  });
  const open = keys.slice(0, 3).flatMap(({ key }) => Array.from({ length: 8 }, () => watch(gateway, key)));
  expect((await Promise.all(open)).every(({ response }) => response.status === 200)).toBe(true);
  const rejected = (await watch(gateway, keys[3]?.key)).response;
  expect(rejected.status).toBe(503);
  const admins = await Promise.all(Array.from({ length: 8 }, () => watch(gateway, root.key)));
  expect(admins.every(({ response }) => response.status === 200)).toBe(true);
});

test("ends the stream of a revoked key", async () => {
  const [ada, bob] = [newKey("ada", []), newKey("bob", [])];
  const path = fileOf(`${ada.line}\n${bob.line}\n`);
  const gateway = await startGateway(await startFake(), { API_KEYS_FILE: path });
  const [stream, other] = [await watch(gateway, ada.key), await watch(gateway, bob.key)];
  await eventually(() => stream.of("overview")[0]);
  writeFileSync(path, `${bob.line}\n`);
  let isEnded = false;
  void stream.ended.then(() => (isEnded = true));
  await tickUntil(() => isEnded || undefined);
  expect((await watch(gateway, ada.key)).response.status).toBe(401);
  await (await postChat(gateway, bob.key)).text();
  await tickUntil(() => other.of("request")[0]);
});

test("does not count a closed console as a failure", async () => {
  const gateway = await startGateway(await startFake());
  const stream = await watch(gateway);
  stream.close();
  const line = await gateway.requestLine("/admin/events");
  expect([line["status"], line["error"], line["level"]]).toEqual([200, undefined, "debug"]);
  await metric(gateway.url, 'http_requests_total{route="/admin/events",method="GET",status="200"} 1');
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  expect(metrics).not.toContain('gateway_request_failures_total{route="/admin/events"');
});

test("disconnects a console that does not read", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake, { POLL_INTERVAL_MS: "1000", SLOW_READER_TIMEOUT_MS: "100" });
  const client = request(`${gateway.url}/admin/events`).end();
  const [response] = (await once(client, "response")) as [IncomingMessage];
  response.on("error", () => undefined);
  response.pause();
  client.socket?.pause();
  let n = 0;
  const isLogged = () => gateway.log.some((line) => line.includes('"route":"/admin/events"'));
  await tickUntil(() => {
    n += 1;
    // An overview of 200 KB that changes with every poll.
    fake.models = Array.from({ length: 500 }, (_, each) => `${"m".repeat(200)}-${each}-${n}`);
    return isLogged() || undefined;
  });
  expect((await gateway.requestLine("/admin/events"))["status"]).toBe(200);
  response.destroy();
});

test("HEAD does not open a stream", async () => {
  const gateway = await startGateway(await startFake());
  expect((await fetch(`${gateway.url}/admin/events`, { method: "HEAD" })).status).toBeGreaterThanOrEqual(404);
});
