import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { Breaker } from "../../../gateway/src/lib/circuit-breaker.ts";
import { hello, metric, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";
import { count, startTwo } from "../../../test-support/gateway/two-backends.ts";

const chat = "/v1/chat/completions";

const consumers = ["ada", "bob", "cyd", "dan"].map((name) => ({ name, ...newKey(name, ["admin"]) }));
const API_KEYS = consumers.map(({ line }) => line).join(";");

function headersOf(name: string): Record<string, string> {
  const key = consumers.find((each) => each.name === name)?.key ?? "";
  return { "content-type": "application/json", authorization: `Bearer ${key}` };
}

function openMetric({ port }: { readonly port: number }, value: number): string {
  return `gateway_backend_breaker_open{backend="127.0.0.1:${port}"} ${value}`;
}

describe("the breaker opens on the server's failures, not on one client's", () => {
  test.each([
    ["three failed streams of one key with the same body", { API_KEYS }, () => hello],
    [
      "three failed streams of one key with three bodies",
      { API_KEYS },
      (n: number) => ({ ...hello, messages: [{ role: "user", content: `Hi ${n}` }] }),
    ],
    ["three failed streams with the same body, without keys", {}, () => hello],
  ])("%s do not affect another client", async (_what, environment, bodyOf) => {
    const fake = await startFake();
    fake.respondTo(({ messages }) => (messages[0]?.content === "good" ? undefined : ["cut"]));
    const gateway = await startGateway(fake, environment);
    const good = { ...hello, messages: [{ role: "user", content: "good" }] };
    for (let n = 0; n < 3; n += 1) {
      const response = await gateway.post(
        chat,
        { ...bodyOf(n), stream: true },
        { headers: headersOf("ada") },
      );
      expect(response.status).toBe(502);
    }
    const keyed = { headers: headersOf("bob") };
    await metric(gateway.url, openMetric(fake, 0), keyed);
    expect((await gateway.post(chat, good, keyed)).status).toBe(200);
  });

  /** Starts two servers, the preferred one of which (the first, idle) has failed requests of three keys. */
  async function startBroken(openMs: number) {
    const two = await startTwo(
      (left) => {
        left.respondWith("cut");
      },
      { API_KEYS, BREAKER_OPEN_MS: `${openMs}` },
      headersOf("ada"),
    );
    let sent = 0;
    // A new conversation each time, because a conversation stays on its server.
    const send = async (name: string): Promise<number> => {
      sent += 1;
      const body = { ...hello, messages: [{ role: "user", content: `Hi ${sent}` }] };
      return (await two.gateway.post(chat, body, { headers: headersOf(name) })).status;
    };
    for (const name of ["ada", "bob", "cyd"]) expect(await send(name)).toBe(502);
    return { ...two, send };
  }

  test("avoids a server that fails the requests of three keys", async () => {
    const two = await startBroken(60_000);
    await metric(two.gateway.url, openMetric(two.left, 1), { headers: headersOf("ada") });
    expect([await two.send("ada"), await two.send("dan")]).toEqual([200, 200]);
    expect(count(two)).toEqual([3, 2]);
  });

  test("tries the server again later", async () => {
    const { left, gateway, send } = await startBroken(300);
    left.respondTo(() => undefined);
    await expect
      .poll(
        async () => {
          expect(await send("dan")).toBe(200);
          return left.received.length;
        },
        { timeout: 45_000, interval: 50 },
      )
      .toBeGreaterThan(3);
    await metric(gateway.url, openMetric(left, 0), { headers: headersOf("ada") });
  });

  test("uses the only server even if its breaker is open", async () => {
    const fake = await startFake();
    fake.respondWith("cut");
    const gateway = await startGateway(fake, { API_KEYS, BREAKER_OPEN_MS: "60000" });
    const send = async (name: string): Promise<number> =>
      (await gateway.post(chat, hello, { headers: headersOf(name) })).status;
    expect([await send("ada"), await send("bob"), await send("cyd")]).toEqual([502, 502, 502]);
    await metric(gateway.url, openMetric(fake, 1), { headers: headersOf("ada") });
    fake.respondTo(() => undefined);
    expect(await send("dan")).toBe(200);
    await metric(gateway.url, openMetric(fake, 0), { headers: headersOf("ada") });
  });
});

describe("an open breaker is not closed by", () => {
  const [ada, bob] = [newKey("ada", ["admin"]), newKey("bob", [])];
  const headersFor = ({ key }: { readonly key: string }) => ({
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
  });
  const tooLong = "word".repeat(140_000);

  test.each<[string, number, object, Record<string, string>?]>([
    ["a prompt that the gateway rejects", 400, { ...hello, messages: [{ role: "user", content: tooLong }] }],
    ["embeddings that the gateway rejects", 400, { model: "m", input: tooLong }],
    ["a context that the gateway rejects", 403, { ...hello, num_ctx: 8192 }],
    ["a request that times out", 504, { ...hello, stream: true }, { FIRST_TOKEN_TIMEOUT_MS: "2000" }],
  ])("%s", async (_what, status, body, timeouts = {}) => {
    const fake = await startFake();
    const API_KEYS = `${ada.line};${bob.line}`;
    const environment = { API_KEYS, BREAKER_FAILURES: "1", BREAKER_OPEN_MS: "60000", ...timeouts };
    const gateway = await startGateway(fake, environment);
    fake.respondWith("cut");
    expect((await gateway.post(chat, hello, headersFor(ada))).status).toBe(502);
    await metric(gateway.url, openMetric(fake, 1), headersFor(ada));
    fake.respondWith("hang");
    const path = "input" in body ? "/v1/embeddings" : chat;
    expect((await gateway.post(path, body, headersFor(bob))).status).toBe(status);
    await metric(gateway.url, openMetric(fake, 1), headersFor(ada));
  });
});

describe("a breaker", () => {
  test("counts each source once, until a request succeeds", () => {
    const breaker = new Breaker(2, 60_000);
    for (let n = 0; n < 5; n += 1) breaker.fail("ada");
    expect(breaker.state).toBe("closed");
    breaker.succeed();
    breaker.fail("bob");
    expect(breaker.state).toBe("closed");
    breaker.fail("ada");
    expect([breaker.state, breaker.allows]).toEqual(["open", false]);
    breaker.succeed();
    expect([breaker.state, breaker.allows]).toEqual(["closed", true]);
  });

  test("lets one request at a time through after the open time", async () => {
    const breaker = new Breaker(2, 500);
    breaker.fail("ada");
    breaker.fail("bob");
    expect(breaker.state).toBe("open");
    await expect.poll(() => breaker.state, { interval: 10 }).toBe("half-open");
    expect(breaker.begin()).toBe(true);
    expect(breaker.allows).toBe(false);
    // Requests sent before it opened do not end the trial.
    breaker.fail("ada");
    expect([breaker.state, breaker.allows]).toEqual(["half-open", false]);
    breaker.endTrial();
    expect(breaker.allows).toBe(true);
  });

  test("counts all requests sent while it was open as trials", async () => {
    const breaker = new Breaker(1, 500);
    expect(breaker.begin()).toBe(false);
    breaker.fail("ada");
    expect([breaker.begin(), breaker.begin()]).toEqual([true, true]);
    await expect.poll(() => breaker.state, { interval: 10 }).toBe("half-open");
    breaker.endTrial();
    expect(breaker.allows).toBe(false);
    breaker.endTrial();
    expect(breaker.allows).toBe(true);
  });

  test("is opened again by another source, but not by one that opened it", async () => {
    const breaker = new Breaker(2, 500);
    breaker.fail("ada");
    breaker.fail("bob");
    await expect.poll(() => breaker.state, { interval: 10 }).toBe("half-open");
    breaker.fail("bob");
    expect(breaker.state).toBe("half-open");
    breaker.fail("cyd");
    expect(breaker.state).toBe("open");
  });

  test("forgets a source after ten times the open time", async () => {
    const breaker = new Breaker(2, 20);
    breaker.fail("ada");
    await sleep(250);
    breaker.fail("bob");
    expect(breaker.state).toBe("closed");
  });
});
