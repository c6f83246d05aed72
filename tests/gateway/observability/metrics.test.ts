import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  hello,
  metric,
  readEvents,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";

const chat = "/v1/chat/completions";
const streamed = { ...hello, stream: true };

async function sum(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name}_sum\\{[^}]*m:latest[^}]*\\} (.*)$`, "m").exec(text)?.[1]);
}

test("reports load, prompt and generation times separately, in the metrics and in Server-Timing", async () => {
  const fake = await startFake();
  fake.loaded = [];
  fake.loadsWith({ waitMs: 80 });
  fake.respondWith(last({ message: { content: "x" }, prompt_eval_duration: 250e6, eval_duration: 1_500e6 }));
  const gateway = await startGateway(fake);
  const response = await gateway.post(chat, hello);
  await gateway.requestLine(chat);
  expect(await sum(gateway.url, "gateway_model_load_duration_seconds")).toBeGreaterThan(0.075);
  expect(await sum(gateway.url, "gateway_prompt_duration_seconds")).toBe(0.25);
  expect(await sum(gateway.url, "gateway_generation_duration_seconds")).toBe(1.5);
  const timing = response.headers.get("server-timing") ?? "";
  expect(Number(/load;dur=([\d.]+)/.exec(timing)?.[1])).toBeGreaterThan(75);
  expect(timing).toMatch(/queue;dur=[\d.]+, .*prompt;dur=250, generate;dur=1500/);
});

test("counts client disconnects by the stage of the request", async () => {
  const fake = await startFake();
  fake.models = ["m:latest", "cold:1b"];
  fake.loaded = [{ name: "m:latest" }];
  fake.loadsWith("hang");
  const gateway = await startGateway(fake, { OLLAMA_NUM_PARALLEL: "1" });
  const disconnect = async (body: object, ready: () => Promise<unknown>, stage: string): Promise<void> => {
    const client = new AbortController();
    const response = gateway.post(chat, body, { signal: client.signal });
    response.catch(() => undefined);
    await ready();
    client.abort();
    await metric(gateway.url, `gateway_client_aborts_total{stage="${stage}"} 1`);
  };
  await disconnect({ ...hello, model: "cold:1b" }, () => fake.load(), "load");
  fake.respondWith("hang");
  await disconnect(hello, () => fake.conversation(), "prompt");
  fake.respondWith(token("x"), "hang");
  const slow = new AbortController();
  const first = await gateway.post(chat, streamed, { signal: slow.signal });
  await disconnect(hello, () => metric(gateway.url, "gateway_queue_depth 1"), "queue");
  slow.abort();
  await first.text().catch(() => "");
  await metric(gateway.url, 'gateway_client_aborts_total{stage="answer"} 1');
});

test("counts failed streams and rejected requests by reason", async () => {
  const fake = await startFake();
  fake.respondWith(token("x"), { waitMs: 10 }, "cut");
  const gateway = await startGateway(fake, { POLL_INTERVAL_MS: "50" });
  await readEvents(await gateway.post(chat, streamed));
  await metric(gateway.url, 'gateway_stream_failures_total{code="upstream_incomplete"} 1');
  await fake.stop();
  await gateway.post(chat, hello);
  await metric(gateway.url, 'gateway_refusals_total{reason="upstream_unreachable"} 1');
});

test("counts requests that the gateway does not serve for their key, host or origin", async () => {
  const root = newKey("root", ["admin"]);
  const rejected = {
    api_key_expired: newKey("expired", ["expires=2020-01-01"]),
    api_key_disabled: newKey("disabled", ["disabled"]),
    route_not_allowed: newKey("embeds", ["routes=embed"]),
    address_not_allowed: newKey("elsewhere", ["from=10.0.0.0/8"]),
  };
  const gateway = await startGateway(await startFake(), {
    API_KEYS: [root, ...Object.values(rejected)].map(({ line }) => line).join(";"),
    ALLOWED_HOSTS: "llm.example.org",
  });
  const send = async (path: string, key: string, more = {}, method = "GET"): Promise<number | undefined> => {
    const headers = { "x-api-key": key, ...more };
    const sent = request(gateway.url + path, { method, headers }).end();
    onTestFinished(() => void sent.destroy());
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    response.on("error", () => undefined).resume();
    return response.statusCode;
  };
  for (const { key } of Object.values(rejected)) await send("/v1/models", key);
  await send("/v1/models", root.key, { host: "evil.example" });
  await send(chat, root.key, { origin: "https://evil.example" }, "POST");
  for (let n = 0; n < 32; n += 1) expect(await send("/admin/events", root.key)).toBe(200);
  await send("/admin/events", root.key);
  const reasons = [...Object.keys(rejected), "host_not_allowed", "origin_not_allowed", "consoles_full"];
  for (const reason of reasons)
    await metric(gateway.url, `gateway_refusals_total{reason="${reason}"} 1`, {
      headers: { "x-api-key": root.key },
    });
});

test("each server's slots, load and state are metrics", async () => {
  const fake = await startFake();
  fake.respondWith(token("x"), "hang");
  const gateway = await startGateway(fake, { OLLAMA_NUM_PARALLEL: "3" });
  const response = await gateway.post(chat, streamed);
  const backend = `{backend="127.0.0.1:${fake.port}"}`;
  await metric(gateway.url, `gateway_backend_up${backend} 1`);
  await metric(gateway.url, `gateway_backend_slots${backend} 3`);
  await metric(gateway.url, `gateway_backend_requests_in_flight${backend} 1`);
  await metric(gateway.url, `gateway_backend_models_loaded${backend} 1`);
  await metric(gateway.url, `gateway_backend_breaker_open${backend} 0`);
  await response.body?.cancel();
});

test("values invented by clients never become labels, however many requests send them", async () => {
  const { key, line } = newKey("ada", ["models=m"]);
  const fake = await startFake();
  const gateway = await startGateway(fake, { API_KEYS: line });
  const names = async (): Promise<string[]> => {
    const text = await (await fetch(`${gateway.url}/metrics`, { headers: { "x-api-key": key } })).text();
    // Process metrics vary, and this very request is counted only when it ends.
    const own = text.split("\n").filter((each) => /^(?!.*"\/metrics")(http|gen_ai|gateway)_/.test(each));
    return own.map((each) => each.replace(/ \S+$/, ""));
  };
  const sendInvented = async (n: number): Promise<void> => {
    const word = `made-up-${n}`;
    const headers = { "content-type": "application/json", "x-api-key": key };
    await gateway.post(chat, { ...hello, model: word }, { headers });
    await gateway.post(chat, { ...hello, model: "m", keep_alive: word }, { headers });
    await gateway.post(chat, hello, { headers: { ...headers, "x-api-key": word } });
    await gateway.post(`/v1/${word}`, hello, { headers });
    await fetch(`${gateway.url}/v1/models/${word}?${word}=1`, { headers });
    await gateway.post("/v1/embeddings", { model: `m:${word}`, input: word, [word]: 1 }, { headers });
  };
  for (let n = 0; n < 3; n += 1) await sendInvented(n);
  const before = await names();
  for (let n = 3; n < 20; n += 1) await sendInvented(n);
  const after = await names();
  expect(after.filter((each) => each.includes("made-up"))).toEqual([]);
  expect(after).toEqual(before);
});
