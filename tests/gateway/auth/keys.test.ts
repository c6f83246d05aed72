import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ConfigError, readConfig } from "../../../gateway/src/config/config.ts";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  errorOf,
  hello,
  readEvents,
  ready,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import { postChat, fileOf } from "../../../test-support/gateway/key-requests.ts";

const chat = "/v1/chat/completions";
const streamed = { ...hello, stream: true };
const json = { "content-type": "application/json" };

test("requires no key if none is configured", async () => {
  const gateway = await startGateway(await startFake());
  expect((await gateway.post(chat, hello)).status).toBe(200);
});

test("accepts a key as a bearer token or as x-api-key and rejects anything else with 401", async () => {
  const { key, line } = newKey("ada", []);
  const gateway = await startGateway(await startFake(), {
    API_KEYS: `# team\n${line}; ${newKey("bob", []).line}`,
  });
  const status = async (headers: Record<string, string>): Promise<number> =>
    (await gateway.post(chat, hello, { headers: { ...json, ...headers } })).status;
  expect(await status({ authorization: `Bearer ${key}` })).toBe(200);
  expect(await status({ authorization: `bearer ${key}` })).toBe(200);
  expect(await status({ "x-api-key": key })).toBe(200);
  for (const wrong of ["", "x", `${key}x`, key.slice(0, -1), line]) {
    expect(await status({ authorization: `Bearer ${wrong}` })).toBe(401);
    expect(await status({ "x-api-key": wrong })).toBe(401);
  }
  expect(await status({ authorization: `Basic ${key}` })).toBe(401);
  const rejected = await gateway.post(chat, hello);
  expect(rejected.headers.get("www-authenticate")).toBe("Bearer");
  expect(await errorOf(rejected)).toMatchObject({ code: "invalid_api_key", type: "invalid_request_error" });
  expect(await gateway.requestLine(chat)).toMatchObject({ key: "ada" });
  expect(gateway.log.join("")).not.toContain(key);
});

test("only the health checks work without a key", async () => {
  const gateway = await startGateway(await startFake(), { API_KEYS: newKey("ada", []).line });
  const status = async (path: string): Promise<number> => (await fetch(gateway.url + path)).status;
  await ready(gateway);
  for (const path of ["/health", "/ready", "/v1/health_check"]) expect(await status(path)).toBe(200);
  for (const path of ["/v1/models", "/metrics", "/nowhere"]) expect(await status(path)).toBe(401);
});

test.each([
  ["an unknown field", `${newKey("a", []).line} colour=red`],
  ["a key in place of its digest", "a sha256=sk-secret"],
  ["a missing digest", "a requests=3"],
  ["a limit of zero", `${newKey("a", []).line} requests=0`],
  ["a duplicate key", `${newKey("a", [], "k").line}; ${newKey("b", [], "k").line}; ${newKey("a", []).line}`],
  ["a third key with the same name", [1, 2, 3].map(() => newKey("a", []).line).join(";")],
  [
    "a second key with the same name and other limits",
    `${newKey("a", ["requests=1"]).line}; ${newKey("a", []).line}`,
  ],
])("rejects %s at startup without printing the value", (_what, keys) => {
  for (const environment of [{ API_KEYS: keys }, { API_KEYS_FILE: fileOf(keys) }]) {
    const read = (): unknown => readConfig(environment);
    expect(read).toThrow(ConfigError);
    expect(read).not.toThrow(/secret|colour/);
    expect(read).toThrow(/key \d|keys? '[ab]'/);
  }
});

test("restricts /metrics to admin keys if there are several keys", async () => {
  const [ada, bob, admin] = [newKey("ada", []), newKey("bob", []), newKey("root", ["admin"])];
  const fake = await startFake();
  const gateway = await startGateway(fake, { API_KEYS: `${ada.line};${bob.line};${admin.line}` });
  for (const { key } of [ada, bob]) await (await postChat(gateway, key)).text();
  const metrics = (key: string): Promise<Response> =>
    fetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${key}` } });
  const rejected = await metrics(ada.key);
  expect(rejected.status).toBe(403);
  expect(await errorOf(rejected)).toMatchObject({ code: "admin_key_required" });
  const seen = await metrics(admin.key);
  expect(seen.status).toBe(200);
  expect(await seen.text()).toContain('gateway_key_tokens_total{key="bob"} 14\n');
  // A single key cannot see the usage of others.
  const alone = await startGateway(fake, { API_KEYS: ada.line });
  expect(
    (await fetch(`${alone.url}/metrics`, { headers: { authorization: `Bearer ${ada.key}` } })).status,
  ).toBe(200);
});

test("limits requests per minute with 429 and OpenAI's headers", async () => {
  const { key, line } = newKey("ada", ["requests=2"]);
  const fake = await startFake();
  const gateway = await startGateway(fake, { API_KEYS: line });
  const remaining: (string | null)[] = [];
  for (const body of [hello, streamed]) {
    const response = await postChat(gateway, key, body);
    remaining.push(response.headers.get("x-ratelimit-remaining-requests"));
    expect(response.headers.get("x-ratelimit-limit-requests")).toBe("2");
    expect(response.headers.get("x-ratelimit-reset-requests")).toMatch(/^(29\.\d|30|5\d\.\d|60|1m0)s$/);
    await response.text();
  }
  expect(remaining).toEqual(["1", "0"]);
  const rejected = await postChat(gateway, key);
  expect(rejected.status).toBe(429);
  expect(Number(rejected.headers.get("retry-after"))).toBeGreaterThan(25);
  expect(rejected.headers.get("x-ratelimit-remaining-requests")).toBe("0");
  expect(await errorOf(rejected)).toMatchObject({ code: "rate_limit_exceeded", type: "requests" });
  expect(fake.received).toHaveLength(2);
});

test("adds Anthropic's rate limit headers, with the reset time, to responses of its API", async () => {
  const { key, line } = newKey("ada", ["requests=2", "tokens=1000"]);
  const gateway = await startGateway(await startFake(), { API_KEYS: line });
  const headers = { "content-type": "application/json", "x-api-key": key };
  const before = Date.now();
  const response = await gateway.post("/v1/messages", { ...hello, max_tokens: 9 }, { headers });
  const limits = Object.fromEntries([...response.headers].filter(([name]) => name.includes("ratelimit")));
  expect(limits).toMatchObject({
    "anthropic-ratelimit-requests-limit": "2",
    "anthropic-ratelimit-requests-remaining": "1",
    "anthropic-ratelimit-tokens-limit": "1000",
    "x-ratelimit-limit-requests": "2",
  });
  expect(Number(limits["anthropic-ratelimit-tokens-remaining"])).toBeLessThan(1000);
  const reset = limits["anthropic-ratelimit-requests-reset"] ?? "";
  expect(reset).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  expect(Date.parse(reset)).toBeGreaterThan(before);
  expect(Date.parse(reset)).toBeLessThan(Date.now() + 61_000);
  // Responses of OpenAI's API do not have them.
  const chat = await postChat(gateway, key);
  expect([...chat.headers.keys()].filter((name) => name.startsWith("anthropic-"))).toEqual([]);
});

/** The token limit, the remaining tokens and the time until the limit is fully available again. */
function tokenHeaders({ headers }: Response): (string | null)[] {
  return ["limit", "remaining", "reset"].map((what) => headers.get(`x-ratelimit-${what}-tokens`));
}

test("limits tokens per minute and charges aborted streams, too", async () => {
  const { key, line } = newKey("ada", ["tokens=12"]);
  const fake = await startFake();
  const gateway = await startGateway(fake, { API_KEYS: line });
  // 11 prompt tokens, 3 generated ones.
  const first = await postChat(gateway, key);
  await first.text();
  // The request reserved all tokens while it ran.
  expect(tokenHeaders(first)).toEqual(["12", "0", "1m0s"]);
  const rejected = await postChat(gateway, key);
  expect(rejected.status).toBe(429);
  // The debt of 2 tokens is paid off before the 12 are available again.
  expect(tokenHeaders(rejected)).toEqual(["12", "0", expect.stringMatching(/^1m(10|9|8)s$/)]);
  expect(Number(rejected.headers.get("retry-after"))).toBeGreaterThan(10);
  expect(await errorOf(rejected)).toMatchObject({ type: "tokens" });

  const other = newKey("bob", ["tokens=3"]);
  const second = await startGateway(fake, { API_KEYS: other.line });
  fake.respondWith(token("a"), token("b"), token("c"), "hang");
  const client = new AbortController();
  const aborted = await postChat(second, other.key, streamed, { signal: client.signal });
  let text = "";
  for await (const piece of aborted.body ?? []) {
    text += Buffer.from(piece as Uint8Array).toString();
    if (text.includes('"c"')) break;
  }
  client.abort();
  await second.requestLine(chat);
  expect((await postChat(second, other.key)).status).toBe(429);
});

test("limits concurrent requests with 429 and frees the slot of an aborted one", async () => {
  const { key, line } = newKey("ada", ["concurrent=1"]);
  const fake = await startFake();
  fake.respondWith(token("x"), "hang");
  const gateway = await startGateway(fake, { API_KEYS: line });
  const client = new AbortController();
  await postChat(gateway, key, streamed, { signal: client.signal });
  const rejected = await postChat(gateway, key);
  expect(rejected.status).toBe(429);
  expect(rejected.headers.has("retry-after")).toBe(true);
  client.abort();
  await gateway.requestLine(chat, 1);
  fake.respondWith(last({ message: { content: "x" } }));
  expect((await postChat(gateway, key)).status).toBe(200);
});

test("restricts a key to its models, however they are spelled", async () => {
  const { key, line } = newKey("ada", ["models=m,other:1b"]);
  const fake = await startFake();
  fake.models = ["m:latest", "secret:1b"];
  const gateway = await startGateway(fake, { API_KEYS: line });
  expect((await postChat(gateway, key, { ...hello, model: "M:latest" })).status).toBe(200);
  const rejected = await postChat(gateway, key, { ...hello, model: "secret:1b" });
  expect(rejected.status).toBe(403);
  expect(await errorOf(rejected)).toMatchObject({ code: "model_not_allowed", param: "model" });
  expect(fake.received).toHaveLength(1);
});

test("a key sees only the models that it may use", async () => {
  const [some, all] = [newKey("some", ["models=m"]), newKey("all", [])];
  const fake = await startFake();
  fake.models = ["m:latest", "secret:1b"];
  const gateway = await startGateway(fake, { API_KEYS: `${some.line};${all.line}` });
  const send = async (key: string, path: string, init: RequestInit = {}): Promise<[number, string]> => {
    const headers = { ...json, authorization: `Bearer ${key}` };
    const response = await fetch(gateway.url + path, { ...init, headers });
    return [response.status, await response.text()];
  };
  const show = (model: string): RequestInit => ({ method: "POST", body: JSON.stringify({ model }) });
  for (const path of ["/v1/models", "/api/tags", "/api/ps"]) {
    expect(await send(all.key, path)).toEqual([200, expect.stringContaining("secret:1b")]);
    const [status, seen] = await send(some.key, path);
    expect([status, seen.includes('"m:latest"'), seen.includes("secret")]).toEqual([200, true, false]);
  }
  // The response is the same as for a model that does not exist.
  const asMissing = (text: string): string => text.replaceAll("secret", "nowhere");
  for (const [path, init] of [
    ["/v1/models/secret:1b", {}],
    ["/api/show", show("secret:1b")],
  ] as const) {
    expect((await send(all.key, path, init))[0]).toBe(200);
    const [status, text] = await send(some.key, path, init);
    expect(status).toBe(404);
    const missing = await send(some.key, asMissing(path), path === "/api/show" ? show("nowhere:1b") : {});
    expect([status, asMissing(text)]).toEqual(missing);
  }
  expect((await send(some.key, "/v1/models/m"))[0]).toBe(200);
  expect((await send(some.key, "/api/show", show("m")))[0]).toBe(200);
});

test("slots are shared evenly between keys: a quiet key does not wait behind a busy one", async () => {
  const [busy, quiet] = [newKey("busy", ["admin"]), newKey("quiet", [])];
  const fake = await startFake();
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.respondWith({ until: released }, last({ message: { content: "x" } }));
  const gateway = await startGateway(fake, {
    API_KEYS: `${busy.line};${quiet.line}`,
    OLLAMA_NUM_PARALLEL: "1",
  });
  const send = (key: string, content: string): Promise<Response> =>
    postChat(gateway, key, { model: "m", messages: [{ role: "user", content }] });
  const waitForDepth = async (value: number): Promise<void> => {
    await expect
      .poll(
        async () => (await fetch(`${gateway.url}/metrics`, { headers: { "x-api-key": busy.key } })).text(),
        {
          interval: 5,
        },
      )
      .toContain(`gateway_queue_depth ${value}\n`);
  };
  const responses = [send(busy.key, "busy")];
  await fake.conversation();
  for (let n = 1; n <= 4; n += 1) {
    responses.push(send(busy.key, "busy"));
    await waitForDepth(n);
  }
  responses.push(send(quiet.key, "quiet"));
  await waitForDepth(5);
  release(undefined);
  await Promise.all(responses);
  const order = fake.received.map(({ body: { messages } }) => messages[0]?.content);
  expect(order.indexOf("quiet")).toBeLessThanOrEqual(2);
});

test("the gateway accepts the key and the line that the new-key command prints", async () => {
  const script = join(import.meta.dirname, "../../../scripts/commands/new-key.ts");
  const output = execFileSync(process.execPath, [script, "ada", "requests=5", "models=m"], {
    encoding: "utf8",
  });
  const key = /sk-\S+/.exec(output)?.[0] ?? "";
  const line = /^ +(ada .*)$/m.exec(output)?.[1] ?? "";
  expect(key.length).toBeGreaterThan(40);
  expect(line).not.toContain(key);
  const gateway = await startGateway(await startFake(), { API_KEYS: line });
  const response = await postChat(gateway, key, streamed);
  expect((await readEvents(response)).data.at(-1)).toBe("[DONE]");
});
