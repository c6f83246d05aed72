import { createServer } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { token } from "../../../test-support/fake-ollama.ts";
import { hello, metric, readEvents, startFake, startGateway } from "../../../test-support/gateway-harness.ts";

test("/health is about the gateway alone", async () => {
  const gateway = await startGateway({ port: 1 });
  const response = await fetch(`${gateway.url}/health`);
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ status: "ok" });
});

test.each(["m", "m:latest", "M", "localhost:5000/x/y:1b"])(
  "/ready is 200 when the model %s is there",
  async (name) => {
    const fake = await startFake();
    fake.models = ["m:latest", "localhost:5000/x/y:1b"];
    const gateway = await startGateway(fake, { REQUIRED_MODELS: name });
    const response = await fetch(`${gateway.url}/ready`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: "ready" });
  },
);

test("/ready says which models are missing, and is 200 once they are there", async () => {
  const fake = await startFake();
  fake.models = ["a:latest"];
  const gateway = await startGateway(fake, { REQUIRED_MODELS: "a, b:1b, a:2b" });
  const before = await fetch(`${gateway.url}/ready`);
  expect(before.status).toBe(503);
  expect(await before.json()).toMatchObject({ status: "not_ready", missing: ["b:1b", "a:2b"] });
  fake.models = ["a:latest", "b:1b", "a:2b"];
  await expect.poll(async () => (await fetch(`${gateway.url}/ready`)).status, { timeout: 45_000 }).toBe(200);
});

test("/ready showed everybody which models there are to be, without a key", async () => {
  const fake = await startFake();
  const [member, admin] = [newKey("member", []), newKey("admin", ["admin"])];
  const gateway = await startGateway(fake, {
    API_KEYS: `${member.line};${admin.line}`,
    REQUIRED_MODELS: "m,secret:1b",
  });
  const ready = async (headers: Record<string, string>): Promise<string> => {
    const response = await fetch(`${gateway.url}/ready`, { headers });
    expect(response.status).toBe(503);
    return response.text();
  };
  for (const headers of [{}, { "x-api-key": "wrong" }, { "x-api-key": member.key }]) {
    expect(JSON.parse(await ready(headers as Record<string, string>))).toEqual({
      status: "not_ready",
      reason: "Ollama lacks required models.",
    });
  }
  expect(await ready({ "x-api-key": admin.key })).toContain("secret:1b");
});

test("a flood of /ready without a key was a flood of requests to Ollama", async () => {
  const fake = await startFake();
  // The gateway itself takes stock once, when it starts.
  const gateway = await startGateway(fake, { API_KEYS: newKey("ada", []).line, POLL_INTERVAL_MS: "3600000" });
  await fetch(`${gateway.url}/ready`);
  const listings = (): number => fake.asked.filter((path) => path === "/api/tags").length;
  const before = listings();
  const started = performance.now();
  for (let round = 0; round < 5; round += 1) {
    const all = await Promise.all(Array.from({ length: 40 }, () => fetch(`${gateway.url}/ready`)));
    for (const response of all) expect(response.status).toBe(200);
    await Promise.all(Array.from({ length: 10 }, () => fetch(`${gateway.url}/health`)));
  }
  const seconds = (performance.now() - started) / 1000;
  expect(listings() - before).toBeLessThanOrEqual(Math.ceil(seconds));
});

test("/ready says that Ollama cannot be reached", async () => {
  const fake = await startFake();
  await fake.stop();
  const gateway = await startGateway(fake);
  const response = await fetch(`${gateway.url}/ready`);
  expect(response.status).toBe(503);
  expect(await response.json()).toEqual({ status: "not_ready", reason: "Ollama cannot be reached." });
});

test("/ready does not wait for an Ollama that is stuck", async () => {
  const stuck = createServer().listen(0, "127.0.0.1");
  await once(stuck, "listening");
  const gateway = await startGateway(
    { port: (stuck.address() as AddressInfo).port },
    { PROBE_TIMEOUT_MS: "100" },
  );
  const response = await fetch(`${gateway.url}/ready`);
  expect(response.status).toBe(503);
  stuck.close();
});

test("probes are answered while every slot is taken and the queue is full", async () => {
  const fake = await startFake();
  fake.answers(token("Hel"), "hang");
  const gateway = await startGateway(fake, { OLLAMA_NUM_PARALLEL: "1", QUEUE_LIMIT: "1" });
  const client = new AbortController();
  await gateway.post("/v1/chat/completions", { ...hello, stream: true }, { signal: client.signal });
  const waiting = gateway.post("/v1/chat/completions", hello, { signal: client.signal });
  await metric(gateway.url, "gateway_queue_depth 1");
  expect((await gateway.post("/v1/chat/completions", hello)).status).toBe(503);
  expect((await fetch(`${gateway.url}/ready`)).status).toBe(200);
  client.abort();
  await expect(waiting).rejects.toThrow();
});

async function metricsOf(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}

test("/metrics counts requests, tokens and times by model", async () => {
  const gateway = await startGateway(await startFake());
  await (await gateway.post("/v1/chat/completions", hello)).text();
  await readEvents(await gateway.post("/v1/chat/completions", { ...hello, stream: true }));
  await gateway.requestLine("/v1/chat/completions", 1);
  const metrics = await metricsOf(gateway.url);
  expect(metrics).toContain(
    'http_requests_total{route="/v1/chat/completions",method="POST",status="200"} 2\n',
  );
  expect(metrics).toContain(
    'gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_provider_name="ollama",gen_ai_request_model="m:latest",gen_ai_token_type="input"} 22',
  );
  expect(metrics).toContain(
    'gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_provider_name="ollama",gen_ai_request_model="m:latest",gen_ai_token_type="output"} 6',
  );
  for (const name of [
    "gen_ai_server_time_to_first_token_seconds",
    "gen_ai_server_time_per_output_token_seconds",
  ]) {
    expect(metrics).toContain(`${name}_count{gen_ai_request_model="m:latest"} 2\n`);
  }
  expect(metrics).toContain(
    'gen_ai_server_request_duration_seconds_count{gen_ai_operation_name="chat",gen_ai_provider_name="ollama",' +
      'gen_ai_request_model="m:latest",error_type=""} 2',
  );
  expect(metrics).toContain("process_resident_memory_bytes");
});

test("a failure in the middle of a stream is counted, though its status was 200", async () => {
  const fake = await startFake();
  fake.answers(token("Hel"), { waitMs: 20 }, "cut");
  const gateway = await startGateway(fake);
  await readEvents(await gateway.post("/v1/chat/completions", { ...hello, stream: true }));
  await gateway.requestLine("/v1/chat/completions");
  expect(await metricsOf(gateway.url)).toContain(
    'gateway_request_failures_total{route="/v1/chat/completions",code="upstream_incomplete"} 1\n',
  );
});

test("what clients make up never becomes a label", async () => {
  const fake = await startFake();
  fake.answers({ status: 404, body: '{"error":"not found"}' });
  const gateway = await startGateway(fake);
  for (let n = 0; n < 20; n += 1) {
    await gateway.post("/v1/chat/completions", { ...hello, model: `made-up-${n}` });
    await fetch(`${gateway.url}/made-up-${n}`);
  }
  const metrics = await metricsOf(gateway.url);
  expect(metrics).not.toContain("made-up");
  expect(metrics).toContain('route="unknown"');
});
