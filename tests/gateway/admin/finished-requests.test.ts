import { expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { admin, bearer, threeKeys } from "../../../test-support/gateway/admin-api.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  errorOf,
  hello,
  startFake,
  startGateway,
  type TestGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import { postChat } from "../../../test-support/gateway/key-requests.ts";

const chat = "/v1/chat/completions";
const secret = "PLANTED";

async function waitForFinished(gateway: TestGateway, count: number, query = "", key?: string) {
  const options = { query, ...(key === undefined ? {} : { key }) };
  await expect.poll(async () => (await admin(gateway, "requests", options)).requests.length).toBe(count);
  return (await admin(gateway, "requests", options)).requests;
}

test("lists a finished request with its phases, tokens, ids and server", async () => {
  const fake = await startFake();
  fake.loaded = [];
  fake.respondWith(
    token("a"),
    { waitMs: 20 },
    last({ prompt_eval_count: 11, prompt_eval_duration: 30e6, eval_count: 4, eval_duration: 2e9 }),
  );
  const gateway = await startGateway(fake);
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const response = await gateway.post(
    chat,
    { ...hello, stream: true },
    {
      headers: {
        "content-type": "application/json",
        "x-request-id": "mine-1",
        traceparent: `00-${traceId}-b7ad6b7169203331-01`,
      },
    },
  );
  await response.text();
  const [request] = await waitForFinished(gateway, 1);
  expect(request).toMatchObject({
    request_id: "mine-1",
    trace_id: traceId,
    route: chat,
    key: null,
    model: "m",
    backend: `127.0.0.1:${fake.port}`,
    stream: true,
    status: 200,
    prompt_tokens: 11,
    generated_tokens: 4,
    tokens_per_second: 2,
    error: null,
    text: null,
  });
  expect(request?.phases).toMatchObject({ prompt_ms: 30, generate_ms: 2000 });
  expect(request?.phases.load_ms).toBeGreaterThan(0);
  expect(request?.first_token_ms).toBeLessThanOrEqual(request?.total_ms ?? 0);
  expect(Math.abs(Date.parse(request?.started_at ?? "") - Date.now())).toBeLessThan(60_000);
});

test("filters the list by key, model and status and limits its length", async () => {
  const { ada, bob, root, API_KEYS } = threeKeys();
  const fake = await startFake();
  fake.models = ["m:latest", "other:latest"];
  const gateway = await startGateway(fake, { API_KEYS });
  await (await postChat(gateway, ada)).text();
  await (await postChat(gateway, ada, { ...hello, model: "other" })).text();
  await (await postChat(gateway, bob, { ...hello, model: "missing" })).text();
  await (await postChat(gateway, bob, { ...hello, messages: "none" })).text();
  await waitForFinished(gateway, 4, "", root);
  const models = async (query: string) =>
    (await admin(gateway, "requests", { key: root, query })).requests.map(
      ({ key, model }) => `${key ?? ""} ${model ?? ""}`,
    );
  expect(await models("?key=ada")).toEqual(["ada other", "ada m"]);
  expect(await models("?model=m")).toEqual(["ada m"]);
  expect(await models("?model=M:latest&key=ada")).toEqual(["ada m"]);
  expect(await models("?status=ok")).toEqual(["ada other", "ada m"]);
  expect(await models("?status=error")).toEqual(["bob ", "bob missing"]);
  expect(await models("?status=404")).toEqual(["bob missing"]);
  expect(await models("?status=model_not_found")).toEqual(["bob missing"]);
  expect(await models("?limit=1")).toEqual(["bob "]);
  expect(await models("?limit=0")).toEqual([]);
  expect(await models("?unknown=1&limit=2")).toHaveLength(2);
});

test.each([
  ["?limit=-1", "limit"],
  ["?limit=1e9", "limit"],
  ["?limit=99999", "limit"],
  ["?limit=1&limit=2", "limit"],
  ["?status=%3Cscript%3E", "status"],
  ["?status=__proto__%20", "status"],
  [`?key=${"k".repeat(65)}`, "key"],
  [`?model=${"m".repeat(257)}`, "model"],
  ["?key[]=a&key=b&key=c", "key"],
])("rejects %s and names the parameter", async (query, param) => {
  const gateway = await startGateway(await startFake());
  const response = await fetch(`${gateway.url}/admin/requests${query}`);
  expect([response.status, await errorOf(response)]).toMatchObject([400, { code: "invalid_value", param }]);
});

test("keeps the last 500 requests", async () => {
  const gateway = await startGateway(await startFake());
  const send = async (n: number): Promise<void> => {
    const headers = { "content-type": "application/json", "x-request-id": `r-${n}` };
    await (await gateway.post(chat, n % 2 === 0 ? hello : { ...hello, model: 1 }, { headers })).text();
  };
  for (let n = 0; n < 504; n += 8) await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map((each) => send(n + each)));
  const all = { query: "?limit=9999" };
  // Eight are sent at a time, so any four of the first eight are dropped.
  const isFirst = (id: string): boolean => /^r-[0-7]$/.test(id);
  await expect
    .poll(
      async () =>
        (await admin(gateway, "requests", all)).requests.filter((each) => isFirst(each.request_id)).length,
    )
    .toBe(4);
  const { requests, kept } = await admin(gateway, "requests", all);
  expect([requests.length, kept, new Set(requests.map(({ id }) => id)).size]).toEqual([500, 500, 500]);
});

test("does not list requests without a valid key, which would displace others", async () => {
  const { root, API_KEYS } = threeKeys();
  const gateway = await startGateway(await startFake(), { API_KEYS });
  await (await gateway.post(chat, hello)).text();
  await (await postChat(gateway, "sk-wrong")).text();
  await (await postChat(gateway, root)).text();
  expect(await waitForFinished(gateway, 1, "", root)).toMatchObject([{ key: "root", status: 200 }]);
});

test("does not list lookups, probes and admin requests", async () => {
  const gateway = await startGateway(await startFake());
  for (const path of ["/v1/models", "/ready", "/metrics", "/admin/overview"])
    await (await fetch(gateway.url + path)).text();
  await fetch(`${gateway.url}/admin/requests/x/cancel`, { method: "POST" });
  await (await gateway.post(chat, hello)).text();
  expect(await waitForFinished(gateway, 1)).toMatchObject([{ route: chat }]);
});

test("reports the measured phases of a request whose client disconnected", async () => {
  const fake = await startFake();
  fake.respondWith(token("a"), "hang");
  const gateway = await startGateway(fake);
  const client = new AbortController();
  await gateway.post(
    chat,
    { ...hello, stream: true },
    {
      signal: client.signal,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...hello, stream: true }),
    },
  );
  client.abort();
  const [request] = await waitForFinished(gateway, 1);
  expect(request).toMatchObject({ error: { code: "client_left" }, generated_tokens: 1 });
  const { phases, total_ms: total = 0 } = request ?? {};
  expect(phases?.generate_ms).toBeLessThanOrEqual(total);
  expect((phases?.prompt_ms ?? 0) + (phases?.generate_ms ?? 0)).toBeLessThanOrEqual(total + 0.2);
});

const paths: [path: string, body: object][] = [
  [chat, { messages: [{ role: "user", content: secret }] }],
  ["/v1/completions", { prompt: secret, suffix: secret }],
  ["/v1/responses", { input: secret, instructions: secret }],
  ["/v1/messages", { messages: [{ role: "user", content: secret }], system: secret, max_tokens: 9 }],
  ["/v1/embeddings", { input: [secret] }],
  ["/v1/chatqna", { messages: [{ role: "user", content: secret }] }],
  ["/api/chat", { messages: [{ role: "user", content: secret }] }],
  ["/api/generate", { prompt: secret, system: secret }],
  ["/api/embed", { input: secret }],
];

test.each(paths)("%s: the admin API contains no text of requests and responses", async (path, body) => {
  const fake = await startFake();
  const { ada, root, API_KEYS } = threeKeys();
  const gateway = await startGateway(fake, { API_KEYS });
  const send = async (more: object): Promise<void> => {
    const headers = { "content-type": "application/json", ...bearer(ada), "user-agent": secret };
    const response = await gateway.post(path, { model: "m", ...body, ...more }, { headers });
    await response.text().catch(() => "");
  };
  const generated = { message: { content: secret, thinking: secret }, response: secret, thinking: secret };
  let sent = 0;
  for (const stream of path.includes("embed") ? [{}] : [{ stream: false }, { stream: true }]) {
    for (const steps of [
      [last({ ...generated, embeddings: [[1]], embedding: [1] })],
      [{ line: { error: `error parsing tool call: raw='${secret}'` } }],
      [{ line: { error: `model requires more system memory: ${secret}'"<` } }],
      [{ raw: `{"${secret}\n` }],
      [{ status: 500, body: JSON.stringify({ error: secret }) }],
      [{ status: 400, body: JSON.stringify({ error: `invalid format: "${secret}"` }) }],
    ]) {
      fake.respondWith(...steps);
      await send(stream);
      sent += 1;
    }
    for (const wrong of [
      { options: { num_gpu: secret, [secret]: secret } },
      { format: { type: secret, pattern: secret } },
      {
        response_format: {
          type: "json_schema",
          json_schema: { name: secret, schema: { pattern: `${secret}(` } },
        },
      },
      { tools: [{ type: secret, function: { name: secret } }], [secret]: secret },
      { messages: [{ role: secret, content: secret }], input: [{ type: secret, role: secret }] },
      { temperature: secret, stop: { [secret]: 1 }, tool_choice: secret, metadata: { [secret]: [secret] } },
    ]) {
      await send({ ...stream, ...wrong });
      sent += 1;
    }
  }
  await waitForFinished(gateway, sent, "", root);
  for (const name of ["session", "overview", "history", "requests", "usage", "health"] as const) {
    const shown = JSON.stringify(await admin(gateway, name, { key: root }));
    expect([name, /.{0,80}PLANTED.{0,80}/.exec(shown)?.[0], shown.includes("sk-")]).toEqual([
      name,
      undefined,
      false,
    ]);
  }
});

test("shows the complete error to the key that sent the request and a generic one to others", async () => {
  const { ada, root, API_KEYS } = threeKeys();
  const fake = await startFake();
  fake.respondWith({ status: 500, body: JSON.stringify({ error: "it said Hi" }) });
  const gateway = await startGateway(fake, { API_KEYS });
  await (await postChat(gateway, ada)).text();
  await waitForFinished(gateway, 1, "", root);
  const errorFor = async (key: string) => (await admin(gateway, "requests", { key })).requests[0]?.error;
  expect(await errorFor(ada)).toMatchObject({ message: "Ollama: it said Hi", message_hidden: false });
  expect(await errorFor(root)).toMatchObject({
    code: "upstream_failed",
    message: "Ollama failed.",
    message_hidden: true,
  });
});

test.each([
  [500, "model requires more system memory (5.5 GiB) than is available (3.1 GiB)"],
  [500, "llama runner process has terminated: signal: killed"],
  [503, "server busy, please try again.  maximum pending requests exceeded"],
])("shows in full an error of Ollama that cannot quote a request (%i %s)", async (status, error) => {
  const fake = await startFake();
  fake.respondWith({ status, body: JSON.stringify({ error }) });
  const gateway = await startGateway(fake);
  await (await gateway.post(chat, hello)).text();
  const [request] = await waitForFinished(gateway, 1);
  expect(request?.error).toMatchObject({ message: `Ollama: ${error}`, message_hidden: false });
});

test("LOG_TEXT=on includes texts, truncated to 16 KiB", async () => {
  const fake = await startFake();
  fake.respondWith(last({ message: { content: "y".repeat(20_000) } }));
  const gateway = await startGateway(fake, { LOG_TEXT: "on" });
  await (await gateway.post(chat, hello)).text();
  const [request] = await waitForFinished(gateway, 1);
  expect(request?.text).toEqual({
    prompt: JSON.stringify(hello.messages),
    response: "y".repeat(16_384),
    cut: true,
  });
});

test("never shows a key or its digest", async () => {
  const { key, line } = newKey("ada", ["admin", "requests=100"]);
  const gateway = await startGateway(await startFake(), { API_KEYS: line });
  const digest = /sha256=(\w+)/.exec(line)?.[1] ?? "";
  for (const name of ["session", "usage", "health", "overview"] as const) {
    const shown = JSON.stringify(await admin(gateway, name, { key }));
    expect([name, shown.includes(digest.slice(0, 8)), shown.includes(key)]).toEqual([name, false, false]);
  }
});
