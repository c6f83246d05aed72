import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { metric, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const METRICS_KEY_DIGEST = createHash("sha256").update("key-of-prometheus").digest("hex");
const headers = { authorization: "Bearer key-of-prometheus" };

test("the metrics key gives access to the metrics and nothing else", async () => {
  const API_KEYS = `${newKey("ada", []).line}\n${newKey("bob", []).line}`;
  const gateway = await startGateway(await startFake(), { API_KEYS, METRICS_KEY_DIGEST });
  await metric(gateway.url, "gateway_queue_limit 256", { headers });
  for (const path of ["/v1/models", "/api/tags", "/v1/chat/completions"]) {
    const response = await fetch(gateway.url + path, { headers });
    expect([401, 404]).toContain(response.status);
  }
  const wrong = await fetch(`${gateway.url}/metrics`, { headers: { authorization: "Bearer other" } });
  expect(wrong.status).toBe(401);
});

test("no bearer token reads the metrics if no metrics key is configured", async () => {
  const gateway = await startGateway(await startFake(), { API_KEYS: newKey("ada", []).line });
  for (const authorization of ["Bearer key-of-prometheus", "Bearer ", "Bearer undefined"]) {
    const response = await fetch(`${gateway.url}/metrics`, { headers: { authorization } });
    expect(response.status).toBe(401);
  }
});

test("reports missing required models and the memory of loaded models", async () => {
  const fake = await startFake();
  fake.models = ["m:latest"];
  fake.loaded = [{ name: "m:latest", size: 1000, size_vram: 250 }];
  const gateway = await startGateway(fake, { REQUIRED_MODELS: "m,other:1b", POLL_INTERVAL_MS: "20" });
  await metric(gateway.url, 'gateway_required_model_present{gen_ai_request_model="m"} 1');
  await metric(gateway.url, 'gateway_required_model_present{gen_ai_request_model="other:1b"} 0');
  const labels = `{backend="127.0.0.1:${fake.port}",gen_ai_request_model="m:latest"}`;
  await metric(gateway.url, `gateway_backend_model_bytes${labels} 1000`);
  await metric(gateway.url, `gateway_backend_model_gpu_ratio${labels} 0.25`);
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
  expect(value("gateway_disk_size_bytes")).toBeGreaterThan(value("gateway_disk_free_bytes"));
});

test("reports no model as missing while no server responds", async () => {
  const gateway = await startGateway({ port: 9 }, { REQUIRED_MODELS: "m" });
  await metric(gateway.url, `gateway_backend_up{backend="127.0.0.1:9"} 0`);
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  expect(text).not.toMatch(/^gateway_required_model_present\{/m);
});
