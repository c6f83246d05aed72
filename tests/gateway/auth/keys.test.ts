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

test("without a key configured everybody is let in", async () => {
  const gateway = await startGateway(await startFake());
  expect((await gateway.post(chat, hello)).status).toBe(200);
});

test("a key is taken as a bearer token and as x-api-key; anything else is 401", async () => {
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
  const refused = await gateway.post(chat, hello);
  expect(refused.headers.get("www-authenticate")).toBe("Bearer");
  expect(await errorOf(refused)).toMatchObject({ code: "invalid_api_key", type: "invalid_request_error" });
  expect(await gateway.requestLine(chat)).toMatchObject({ key: "ada" });
  expect(gateway.log.join("")).not.toContain(key);
});

test("without a key only the health checks answer", async () => {
  const gateway = await startGateway(await startFake(), { API_KEYS: newKey("ada", []).line });
  const status = async (path: string): Promise<number> => (await fetch(gateway.url + path)).status;
  await ready(gateway);
  for (const path of ["/health", "/ready", "/v1/health_check"]) expect(await status(path)).toBe(200);
  for (const path of ["/v1/models", "/metrics", "/nowhere"]) expect(await status(path)).toBe(401);
});

test.each([
  ["a field that is unknown", `${newKey("a", []).line} colour=red`],
  ["a key in place of its digest", "a sha256=sk-secret"],
  ["no digest", "a requests=3"],
  ["a limit of nothing", `${newKey("a", []).line} requests=0`],
  [
    "a key that is there twice",
    `${newKey("a", [], "k").line}; ${newKey("b", [], "k").line}; ${newKey("a", []).line}`,
  ],
  ["a third key of one name", [1, 2, 3].map(() => newKey("a", []).line).join(";")],
  [
    "a second key of one name with limits of its own",
    `${newKey("a", ["requests=1"]).line}; ${newKey("a", []).line}`,
  ],
])("%s is refused at the start, without the value", (_what, keys) => {
  for (const environment of [{ API_KEYS: keys }, { API_KEYS_FILE: fileOf(keys) }]) {
    const read = (): unknown => readConfig(environment);
    expect(read).toThrow(ConfigError);
    expect(read).not.toThrow(/secret|colour/);
    expect(read).toThrow(/key \d|keys? '[ab]'/);
  }
});

test("every key could read what the others use, by /metrics", async () => {
  const [ada, bob, admin] = [newKey("ada", []), newKey("bob", []), newKey("root", ["admin"])];
  const fake = await startFake();
  const gateway = await startGateway(fake, { API_KEYS: `${ada.line};${bob.line};${admin.line}` });
  for (const { key } of [ada, bob]) await (await postChat(gateway, key)).text();
  const metrics = (key: string): Promise<Response> =>
    fetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${key}` } });
  const refused = await metrics(ada.key);
  expect(refused.status).toBe(403);
  expect(await errorOf(refused)).toMatchObject({ code: "admin_key_required" });
  const seen = await metrics(admin.key);
  expect(seen.status).toBe(200);
  expect(await seen.text()).toContain('gateway_key_tokens_total{key="bob"} 14\n');
  // Where there is one key, there is nobody else to be seen.
  const alone = await startGateway(fake, { API_KEYS: ada.line });
  expect(
    (await fetch(`${alone.url}/metrics`, { headers: { authorization: `Bearer ${ada.key}` } })).status,
  ).toBe(200);
});

test("requests per minute: 429 with OpenAI's headers, which count down", async () => {
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
  const refused = await postChat(gateway, key);
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(25);
  expect(refused.headers.get("x-ratelimit-remaining-requests")).toBe("0");
  expect(await errorOf(refused)).toMatchObject({ code: "rate_limit_exceeded", type: "requests" });
  expect(fake.received).toHaveLength(2);
});

test("clients of Anthropic's API get its headers beside them, with the time at which all is there again", async () => {
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
  // OpenAI's clients do not.
  const chat = await postChat(gateway, key);
  expect([...chat.headers.keys()].filter((name) => name.startsWith("anthropic-"))).toEqual([]);
});

/** The limit of tokens, what is left of it, when all of it is there again. */
function tokenHeaders({ headers }: Response): (string | null)[] {
  return ["limit", "remaining", "reset"].map((what) => headers.get(`x-ratelimit-${what}-tokens`));
}

test("tokens per minute: what was used is owed, of streams that were left as well", async () => {
  const { key, line } = newKey("ada", ["tokens=12"]);
  const fake = await startFake();
  const gateway = await startGateway(fake, { API_KEYS: line });
  // 11 read, 3 generated.
  const first = await postChat(gateway, key);
  await first.text();
  // While it ran, all that there was had been set aside for it.
  expect(tokenHeaders(first)).toEqual(["12", "0", "1m0s"]);
  const refused = await postChat(gateway, key);
  expect(refused.status).toBe(429);
  // What is owed, 2, is made up for before the 12 are there again.
  expect(tokenHeaders(refused)).toEqual(["12", "0", expect.stringMatching(/^1m(10|9|8)s$/)]);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(10);
  expect(await errorOf(refused)).toMatchObject({ type: "tokens" });

  const other = newKey("bob", ["tokens=3"]);
  const second = await startGateway(fake, { API_KEYS: other.line });
  fake.respondWith(token("a"), token("b"), token("c"), "hang");
  const client = new AbortController();
  const left = await postChat(second, other.key, streamed, { signal: client.signal });
  let text = "";
  for await (const piece of left.body ?? []) {
    text += Buffer.from(piece as Uint8Array).toString();
    if (text.includes('"c"')) break;
  }
  client.abort();
  await second.requestLine(chat);
  expect((await postChat(second, other.key)).status).toBe(429);
});

test("requests at once: the one too many is 429, and a place is given back", async () => {
  const { key, line } = newKey("ada", ["concurrent=1"]);
  const fake = await startFake();
  fake.respondWith(token("x"), "hang");
  const gateway = await startGateway(fake, { API_KEYS: line });
  const client = new AbortController();
  await postChat(gateway, key, streamed, { signal: client.signal });
  const refused = await postChat(gateway, key);
  expect(refused.status).toBe(429);
  expect(refused.headers.has("retry-after")).toBe(true);
  client.abort();
  await gateway.requestLine(chat, 1);
  fake.respondWith(last({ message: { content: "x" } }));
  expect((await postChat(gateway, key)).status).toBe(200);
});

test("a key is held to its models, however they are spelled", async () => {
  const { key, line } = newKey("ada", ["models=m,other:1b"]);
  const fake = await startFake();
  fake.models = ["m:latest", "secret:1b"];
  const gateway = await startGateway(fake, { API_KEYS: line });
  expect((await postChat(gateway, key, { ...hello, model: "M:latest" })).status).toBe(200);
  const refused = await postChat(gateway, key, { ...hello, model: "secret:1b" });
  expect(refused.status).toBe(403);
  expect(await errorOf(refused)).toMatchObject({ code: "model_not_allowed", param: "model" });
  expect(fake.received).toHaveLength(1);
});

test("a key sees only the models it may use", async () => {
  const [some, all] = [newKey("some", ["models=m"]), newKey("all", [])];
  const fake = await startFake();
  fake.models = ["m:latest", "secret:1b"];
  const gateway = await startGateway(fake, { API_KEYS: `${some.line};${all.line}` });
  const asking = async (key: string, path: string, init: RequestInit = {}): Promise<[number, string]> => {
    const headers = { ...json, authorization: `Bearer ${key}` };
    const response = await fetch(gateway.url + path, { ...init, headers });
    return [response.status, await response.text()];
  };
  const show = (model: string): RequestInit => ({ method: "POST", body: JSON.stringify({ model }) });
  for (const path of ["/v1/models", "/api/tags", "/api/ps"]) {
    expect(await asking(all.key, path)).toEqual([200, expect.stringContaining("secret:1b")]);
    const [status, seen] = await asking(some.key, path);
    expect([status, seen.includes('"m:latest"'), seen.includes("secret")]).toEqual([200, true, false]);
  }
  // Not a word more than of a model that is not there.
  const nowhere = (text: string): string => text.replaceAll("secret", "nowhere");
  for (const [path, init] of [
    ["/v1/models/secret:1b", {}],
    ["/api/show", show("secret:1b")],
  ] as const) {
    expect((await asking(all.key, path, init))[0]).toBe(200);
    const [status, text] = await asking(some.key, path, init);
    expect(status).toBe(404);
    const missing = await asking(some.key, nowhere(path), path === "/api/show" ? show("nowhere:1b") : {});
    expect([status, nowhere(text)]).toEqual(missing);
  }
  expect((await asking(some.key, "/v1/models/m"))[0]).toBe(200);
  expect((await asking(some.key, "/api/show", show("m")))[0]).toBe(200);
});

test("slots are shared evenly between keys: who asks little does not wait for who asks much", async () => {
  const [much, little] = [newKey("much", ["admin"]), newKey("little", [])];
  const fake = await startFake();
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.respondWith({ until: released }, last({ message: { content: "x" } }));
  const gateway = await startGateway(fake, {
    API_KEYS: `${much.line};${little.line}`,
    OLLAMA_NUM_PARALLEL: "1",
  });
  const say = (key: string, content: string): Promise<Response> =>
    postChat(gateway, key, { model: "m", messages: [{ role: "user", content }] });
  const depth = async (value: number): Promise<void> => {
    await expect
      .poll(
        async () => (await fetch(`${gateway.url}/metrics`, { headers: { "x-api-key": much.key } })).text(),
        {
          interval: 5,
        },
      )
      .toContain(`gateway_queue_depth ${value}\n`);
  };
  const answers = [say(much.key, "much")];
  await fake.conversation();
  for (let n = 1; n <= 4; n += 1) {
    answers.push(say(much.key, "much"));
    await depth(n);
  }
  answers.push(say(little.key, "little"));
  await depth(5);
  release(undefined);
  await Promise.all(answers);
  const order = fake.received.map(({ body: { messages } }) => messages[0]?.content);
  expect(order.indexOf("little")).toBeLessThanOrEqual(2);
});

test("a key is made by a command, and the line it prints lets the key in", async () => {
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
