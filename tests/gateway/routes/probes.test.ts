import { expect, onTestFinished, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { FakeOllama } from "../../../test-support/fakes/ollama/fake-ollama.ts";
import { token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  eventually,
  hello,
  metric,
  readEvents,
  ready,
  startFake,
  startGateway,
  type TestGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import { startHanging } from "../../../test-support/gateway/two-backends.ts";

async function reasonOf({ url }: TestGateway): Promise<string | undefined> {
  return ((await (await fetch(`${url}/ready`)).json()) as { reason?: string }).reason;
}

test("/health does not depend on Ollama", async () => {
  const gateway = await startGateway({ port: 1 });
  const response = await fetch(`${gateway.url}/health`);
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ status: "ok" });
});

test.each(["m", "m:latest", "M", "localhost:5000/x/y:1b"])(
  "/ready returns 200 when the model %s is present",
  async (name) => {
    const fake = await startFake();
    fake.models = ["m:latest", "localhost:5000/x/y:1b"];
    const gateway = await startGateway(fake, { REQUIRED_MODELS: name });
    await ready(gateway);
    const response = await fetch(`${gateway.url}/ready`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: "ready" });
  },
);

test("/ready lists missing models, and returns 200 once they are present", async () => {
  const fake = await startFake();
  fake.models = ["a:latest"];
  const gateway = await startGateway(fake, { REQUIRED_MODELS: "a, b:1b, a:2b", POLL_INTERVAL_MS: "50" });
  await expect.poll(() => reasonOf(gateway)).toContain("lacks");
  const before = await fetch(`${gateway.url}/ready`);
  expect(before.status).toBe(503);
  expect(await before.json()).toMatchObject({ status: "not_ready", missing: ["b:1b", "a:2b"] });
  fake.models = ["a:latest", "b:1b", "a:2b"];
  await expect.poll(async () => (await fetch(`${gateway.url}/ready`)).status, { timeout: 45_000 }).toBe(200);
});

test("/ready lists missing models only to an admin key", async () => {
  const fake = await startFake();
  const [member, admin] = [newKey("member", []), newKey("admin", ["admin"])];
  const gateway = await startGateway(fake, {
    API_KEYS: `${member.line};${admin.line}`,
    REQUIRED_MODELS: "m,secret:1b",
  });
  await expect.poll(() => reasonOf(gateway)).toContain("lacks");
  const notReady = async (headers: Record<string, string>): Promise<string> => {
    const response = await fetch(`${gateway.url}/ready`, { headers });
    expect(response.status).toBe(503);
    return response.text();
  };
  for (const headers of [{}, { "x-api-key": "wrong" }, { "x-api-key": member.key }]) {
    expect(JSON.parse(await notReady(headers as Record<string, string>))).toEqual({
      status: "not_ready",
      reason: "Ollama lacks required models.",
    });
  }
  expect(await notReady({ "x-api-key": admin.key })).toContain("secret:1b");
});

test("however often /ready is called, it makes no request to Ollama", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake, { API_KEYS: newKey("ada", []).line, POLL_INTERVAL_MS: "3600000" });
  await ready(gateway);
  // The single probe at startup has sent all its requests.
  await eventually(() => (fake.queries.length === 3 ? true : undefined));
  for (let round = 0; round < 5; round += 1) {
    const all = await Promise.all(Array.from({ length: 40 }, () => fetch(`${gateway.url}/ready`)));
    for (const response of all) expect(response.status).toBe(200);
    await Promise.all(Array.from({ length: 10 }, () => fetch(`${gateway.url}/health`)));
  }
  expect(fake.queries.toSorted()).toEqual(["/api/ps", "/api/tags", "/api/version"]);
});

test("/ready reports that Ollama cannot be reached", async () => {
  const fake = await startFake();
  await fake.stop();
  const gateway = await startGateway(fake);
  await expect.poll(() => reasonOf(gateway)).toBe("Ollama cannot be reached.");
  const response = await fetch(`${gateway.url}/ready`);
  expect(response.status).toBe(503);
  expect(await response.json()).toEqual({ status: "not_ready", reason: "Ollama cannot be reached." });
});

test("a server that accepts connections and never responds does not delay /ready", async () => {
  const { port, hung } = await startHanging();
  // The probe outlasts this test, so anything that waits for it fails.
  const gateway = await startGateway({ port }, { PROBE_TIMEOUT_MS: "3600000" });
  await eventually(() => (hung.length > 0 ? true : undefined));
  const response = await fetch(`${gateway.url}/ready`);
  expect(response.status).toBe(503);
  expect(await response.json()).toEqual({ status: "not_ready", reason: "Ollama is being probed." });
  expect(hung).toHaveLength(3);
});

test("a server that never responds does not keep /ready from using another", async () => {
  const [fake, { port }] = await Promise.all([startFake(), startHanging()]);
  const gateway = await startGateway(fake, {
    LLM_BACKENDS: `127.0.0.1:${port},127.0.0.1:${fake.port}`,
    REQUIRED_MODELS: "m",
    PROBE_TIMEOUT_MS: "3600000",
  });
  await ready(gateway);
});

test("/ready notices when the only server goes away and comes back", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake, { POLL_INTERVAL_MS: "30" });
  await ready(gateway);
  await fake.stop();
  await expect.poll(() => reasonOf(gateway)).toBe("Ollama cannot be reached.");
  const back = await FakeOllama.start(fake.port);
  onTestFinished(() => back.stop());
  await ready(gateway);
});

test("responds to probes while every slot is taken and the queue is full", async () => {
  const fake = await startFake();
  fake.respondWith(token("Hel"), "hang");
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
    expect(metrics).toContain(
      `${name}_count{gen_ai_operation_name="chat",gen_ai_provider_name="ollama",gen_ai_request_model="m:latest"} 2\n`,
    );
  }
  expect(metrics).toContain(
    'gen_ai_server_request_duration_seconds_count{gen_ai_operation_name="chat",gen_ai_provider_name="ollama",' +
      'gen_ai_request_model="m:latest",error_type=""} 2',
  );
  expect(metrics).toContain("process_resident_memory_bytes");
});

test("counts a stream that fails midway, although its status was 200", async () => {
  const fake = await startFake();
  fake.respondWith(token("Hel"), { waitMs: 20 }, "cut");
  const gateway = await startGateway(fake);
  await readEvents(await gateway.post("/v1/chat/completions", { ...hello, stream: true }));
  await gateway.requestLine("/v1/chat/completions");
  expect(await metricsOf(gateway.url)).toContain(
    'gateway_request_failures_total{route="/v1/chat/completions",code="upstream_incomplete"} 1\n',
  );
});
