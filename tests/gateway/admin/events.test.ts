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

type Name = keyof typeof events;

interface Seen {
  readonly response: Response;
  readonly text: () => string;
  readonly of: <Kind extends Name>(name: Kind) => z.infer<ReturnType<(typeof events)[Kind]>>[];
  readonly ended: Promise<void>;
  close(): void;
}

let intervals: ReturnType<typeof controlIntervals>;
beforeEach(() => {
  intervals = controlIntervals();
});

/** What happens every second, such as a look at what has changed. */
function tick(): void {
  intervals.pass(1000);
}

/** Waits for something that comes after some ticks. */
function ticking<T>(look: () => T | undefined): Promise<T> {
  return eventually(() => {
    const found = look();
    if (found === undefined) tick();
    return found;
  });
}

/** Opens the stream of events, and checks each against the contract. */
async function watch(gateway: TestGateway, key?: string): Promise<Seen> {
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
  const of = <Kind extends Name>(name: Kind) =>
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

test("a console sees a request begin, generate and end", async () => {
  const fake = await startFake();
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.respondWith(token("a"), { until: released }, last());
  const gateway = await startGateway(fake);
  const seen = await watch(gateway);
  expect([seen.response.status, seen.response.headers.get("content-type")]).toEqual([
    200,
    "text/event-stream; charset=utf-8",
  ]);
  expect(seen.response.headers.get("cache-control")).toBe("no-store");
  await eventually(() => seen.of("overview")[0]);
  const response = gateway.post(chat, { ...hello, stream: true });
  await ticking(() => seen.of("overview").find(({ requests }) => requests[0]?.phase === "generating"));
  release(undefined);
  await (await response).text();
  expect(await ticking(() => seen.of("request")[0])).toMatchObject({ status: 200, generated_tokens: 3 });
  await ticking(() => (seen.of("overview").at(-1)?.requests.length === 0 ? true : undefined));
  // What ended is sent once.
  expect(seen.of("request")).toHaveLength(1);
});

test("an overview is sent when something has changed, not because time goes by", async () => {
  const fake = await startFake();
  fake.respondWith("hang");
  const gateway = await startGateway(fake, { POLL_INTERVAL_MS: "1000" });
  const client = new AbortController();
  const left = gateway.post(chat, hello, { signal: client.signal });
  await fake.conversation();
  await expect.poll(async () => (await admin(gateway, "overview")).models.installed).toHaveLength(1);
  const seen = await watch(gateway);
  await eventually(() => seen.of("overview")[0]);
  // Each tick of this one shows that the other has had its own.
  const other = await watch(gateway);
  for (let n = 0; n < 3; n += 1) {
    await gateway.post("/v1/embeddings", { model: "m" });
    await ticking(() => other.of("request")[n]);
  }
  expect(seen.of("overview")).toHaveLength(1);
  client.abort();
  await expect(left).rejects.toThrow();
  await ticking(() => seen.of("overview")[1]);
});

test("a server that goes is shown", async () => {
  const fake = await FakeOllama.start();
  const gateway = await startGateway(fake, { POLL_INTERVAL_MS: "1000" });
  const seen = await watch(gateway);
  await ticking(() => seen.of("overview").find(({ backends }) => backends[0]?.state === "available"));
  await fake.stop();
  await ticking(() => seen.of("overview").find(({ backends }) => backends[0]?.state === "unreachable"));
});

test("a key sees its own requests only", async () => {
  const { ada, bob, API_KEYS } = threeKeys();
  const gateway = await startGateway(await startFake(), { API_KEYS });
  const seen = await watch(gateway, bob);
  await (await postChat(gateway, ada)).text();
  await (await postChat(gateway, bob)).text();
  await ticking(() => seen.of("request")[0]);
  expect(seen.of("request").map(({ key }) => key)).toEqual(["bob"]);
  expect(seen.text()).not.toContain("ada");
  expect(seen.text()).not.toContain("127.0.0.1");
});

test("of more requests than a page can show, the last are sent and the others counted", async () => {
  const gateway = await startGateway(await startFake());
  const seen = await watch(gateway);
  await eventually(() => seen.of("overview")[0]);
  await Promise.all(
    Array.from({ length: 400 }, () => gateway.post(chat, { model: 1 }).then((each) => each.text())),
  );
  await gateway.requestLine(chat, 399);
  tick();
  expect(await eventually(() => seen.of("skipped")[0])).toEqual({ requests: 350 });
  expect(seen.of("request")).toHaveLength(50);
});

test("32 consoles may be open, and one that closes makes room", async () => {
  const gateway = await startGateway(await startFake());
  const open = await Promise.all(Array.from({ length: 32 }, () => watch(gateway)));
  expect(open.every(({ response }) => response.status === 200)).toBe(true);
  const refused = await fetch(`${gateway.url}/admin/events`);
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "10"]);
  expect(await errorOf(refused)).toMatchObject({
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

test("a key without the admin flag may open 8", async () => {
  const { ada, bob, root, API_KEYS } = threeKeys();
  const gateway = await startGateway(await startFake(), { API_KEYS });
  const open = await Promise.all(Array.from({ length: 8 }, () => watch(gateway, ada)));
  expect(open.map(({ response }) => response.status)).toEqual(open.map(() => 200));
  expect((await watch(gateway, ada)).response.status).toBe(503);
  for (const key of [bob, root]) expect((await watch(gateway, key)).response.status).toBe(200);
});

test("four keys held all consoles, and an admin could open none: 8 are left to admins", async () => {
  const [keys, root] = [["a", "b", "c", "d"].map((name) => newKey(name, [])), newKey("root", ["admin"])];
  const gateway = await startGateway(await startFake(), {
    API_KEYS: [...keys, root].map(({ line }) => line).join(";"),
  });
  const open = keys.slice(0, 3).flatMap(({ key }) => Array.from({ length: 8 }, () => watch(gateway, key)));
  expect((await Promise.all(open)).every(({ response }) => response.status === 200)).toBe(true);
  const refused = (await watch(gateway, keys[3]?.key)).response;
  expect(refused.status).toBe(503);
  const admins = await Promise.all(Array.from({ length: 8 }, () => watch(gateway, root.key)));
  expect(admins.every(({ response }) => response.status === 200)).toBe(true);
});

test("the stream of a key that is revoked ends", async () => {
  const [ada, bob] = [newKey("ada", []), newKey("bob", [])];
  const path = fileOf(`${ada.line}\n${bob.line}\n`);
  const gateway = await startGateway(await startFake(), { API_KEYS_FILE: path });
  const [seen, other] = [await watch(gateway, ada.key), await watch(gateway, bob.key)];
  await eventually(() => seen.of("overview")[0]);
  writeFileSync(path, `${bob.line}\n`);
  let isEnded = false;
  void seen.ended.then(() => (isEnded = true));
  await ticking(() => isEnded || undefined);
  expect((await watch(gateway, ada.key)).response.status).toBe(401);
  await (await postChat(gateway, bob.key)).text();
  await ticking(() => other.of("request")[0]);
});

test("a client that leaves its console is no failure", async () => {
  const gateway = await startGateway(await startFake());
  const seen = await watch(gateway);
  seen.close();
  const line = await gateway.requestLine("/admin/events");
  expect([line["status"], line["error"], line["level"]]).toEqual([200, undefined, "debug"]);
  await metric(gateway.url, 'http_requests_total{route="/admin/events",method="GET",status="200"} 1');
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  expect(metrics).not.toContain('gateway_request_failures_total{route="/admin/events"');
});

test("a console that does not read is disconnected, and nothing piles up for it", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake, { POLL_INTERVAL_MS: "1000", SLOW_READER_TIMEOUT_MS: "100" });
  const client = request(`${gateway.url}/admin/events`).end();
  const [response] = (await once(client, "response")) as [IncomingMessage];
  response.on("error", () => undefined);
  response.pause();
  client.socket?.pause();
  let n = 0;
  const isLogged = () => gateway.log.some((line) => line.includes('"route":"/admin/events"'));
  await ticking(() => {
    n += 1;
    // An overview of 200 KB, which changes with every poll.
    fake.models = Array.from({ length: 500 }, (_, each) => `${"m".repeat(200)}-${each}-${n}`);
    return isLogged() || undefined;
  });
  expect((await gateway.requestLine("/admin/events"))["status"]).toBe(200);
  response.destroy();
});

test("HEAD opens no stream", async () => {
  const gateway = await startGateway(await startFake());
  expect((await fetch(`${gateway.url}/admin/events`, { method: "HEAD" })).status).toBeGreaterThanOrEqual(404);
});
