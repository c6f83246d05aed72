import dns from "node:dns";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { FakeOllama } from "../../../test-support/fakes/ollama/fake-ollama.ts";
import { token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  errorOf,
  eventually,
  hello,
  metric,
  readEvents,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import { count, startHanging, startTwo } from "../../../test-support/gateway/two-backends.ts";

const chat = "/v1/chat/completions";
const streamed = { ...hello, stream: true };

test("a request goes where its model is loaded, even if another server has it installed", async () => {
  const two = await startTwo((left) => {
    left.loaded = [];
  });
  for (let n = 0; n < 3; n += 1) expect((await two.gateway.post(chat, hello)).status).toBe(200);
  expect(count(two)).toEqual([0, 3]);
  expect(two.left.loads).toHaveLength(0);
});

test("a request goes to the only server that has its model", async () => {
  const two = await startTwo((left) => {
    left.models = ["other:1b"];
  });
  expect((await two.gateway.post(chat, hello)).status).toBe(200);
  expect(count(two)).toEqual([0, 1]);
  const models = (await (await fetch(`${two.gateway.url}/v1/models`)).json()) as { data: { id: string }[] };
  expect(models.data.map(({ id }) => id).toSorted()).toEqual(["m:latest", "other:1b"]);
});

test("spreads requests by load, within the slots of each server", async () => {
  const two = await startTwo((left, right) => {
    left.respondWith(token("x"), "hang");
    right.respondWith(token("x"), "hang");
  });
  const responses = [];
  for (let n = 0; n < 3; n += 1) responses.push(await two.gateway.post(chat, streamed));
  expect(count(two)).toEqual([1, 2]);
  const client = new AbortController();
  const fourth = expect(two.gateway.post(chat, streamed, { signal: client.signal })).rejects.toThrow();
  await metric(two.gateway.url, "gateway_queue_depth 1");
  client.abort();
  await fourth;
  expect(count(two)).toEqual([1, 2]);
  for (const response of responses) await response.body?.cancel();
});

test("loads the model on another server while the first one is busy", async () => {
  const two = await startTwo((left, right) => {
    left.respondWith(token("x"), "hang");
    right.loaded = [];
  });
  const first = await two.gateway.post(chat, streamed);
  expect((await two.gateway.post(chat, hello)).status).toBe(200);
  expect(count(two)).toEqual([1, 1]);
  expect(two.right.loads).toHaveLength(1);
  await first.body?.cancel();
});

test("skips an unreachable server and uses it again after it has recovered", async () => {
  const two = await startTwo((_left, right) => {
    right.models = ["other:1b"];
  });
  const { gateway, left } = two;
  const up = (value: number): string => `gateway_backend_up{backend="127.0.0.1:${left.port}"} ${value}`;
  await left.stop();
  await metric(gateway.url, up(0));
  const rejected = await gateway.post(chat, hello);
  expect(rejected.status).toBe(503);
  expect((await errorOf(rejected)).code).toBe("upstream_unreachable");
  const again = await FakeOllama.start(left.port);
  try {
    await metric(gateway.url, up(1));
    expect((await gateway.post(chat, hello)).status).toBe(200);
    expect(again.received).toHaveLength(1);
  } finally {
    await again.stop();
  }
});

test("does not probe a hanging server again for a model that no other server has", async () => {
  const [left, { port, hung }] = await Promise.all([startFake(), startHanging()]);
  const gateway = await startGateway(left, {
    LLM_BACKENDS: `127.0.0.1:${left.port}, 127.0.0.1:${port}`,
    POLL_INTERVAL_MS: "60000",
    PROBE_TIMEOUT_MS: "3000",
  });
  await eventually(() => (hung.length === 3 ? true : undefined));
  const rejected = await gateway.post(chat, { ...hello, model: "nobodys:1b" });
  // The hanging server may have the model, so it cannot be reported as missing.
  expect((await errorOf(rejected)).code).toBe("upstream_unreachable");
  expect(hung).toHaveLength(3);
});

test("rejects an unknown model without waiting for an unreachable server that never had it", async () => {
  const { gateway, left, right } = await startTwo(() => undefined, { PROBE_TIMEOUT_MS: "60000" });
  await right.stop();
  await metric(gateway.url, `gateway_backend_up{backend="127.0.0.1:${right.port}"} 0`);
  const { hung } = await startHanging(right.port);
  await eventually(() => (hung.length > 0 ? true : undefined));
  const rejected = await gateway.post(chat, { ...hello, model: "nobodys:1b" });
  expect([rejected.status, (await errorOf(rejected)).code]).toEqual([404, "model_not_found"]);
  // A model that was installed on another server meanwhile is found.
  left.models = [...left.models, "nobodys:1b"];
  expect((await gateway.post(chat, { ...hello, model: "nobodys:1b" })).status).toBe(200);
});

test("ignores the failure of a probe that was sent before the server recovered", async () => {
  const hung: Socket[] = [];
  const away = createServer((socket) => hung.push(socket));
  away.listen(0, "127.0.0.1");
  await once(away, "listening");
  const { port } = away.address() as AddressInfo;
  const gateway = await startGateway({ port }, { POLL_INTERVAL_MS: "60000" });
  await eventually(() => (hung.length >= 2 ? true : undefined));
  away.close();
  const back = await FakeOllama.start(port);
  onTestFinished(() => back.stop());
  const response = gateway.post(chat, hello);
  await metric(gateway.url, "gateway_queue_depth 1");
  for (const socket of hung) socket.destroy();
  expect((await response).status).toBe(200);
});

test("fails waiting requests at once when their server becomes unreachable", async () => {
  const fake = await startFake();
  fake.respondWith(token("Hel"), "hang");
  const gateway = await startGateway(fake, { OLLAMA_NUM_PARALLEL: "1", POLL_INTERVAL_MS: "50" });
  const first = await gateway.post(chat, streamed);
  const second = gateway.post(chat, hello);
  await metric(gateway.url, "gateway_queue_depth 1");
  await fake.stop();
  expect((await second).status).toBe(503);
  expect((await readEvents(first)).brokenOff).toBe(true);
});

test("follows a server's name to a new address", async () => {
  const old = await startFake();
  const next = await FakeOllama.start(old.port, "127.0.0.2");
  let address = "127.0.0.1";
  const real = dns.lookup.bind(dns) as (...all: unknown[]) => void;
  const lookup = vi.spyOn(dns, "lookup").mockImplementation((...all: unknown[]) => {
    real(all[0] === "ollama.test" ? address : all[0], ...all.slice(1));
  });
  try {
    const gateway = await startGateway(old, { LLM_SERVICE_HOST_IP: "ollama.test", POLL_INTERVAL_MS: "50" });
    expect((await gateway.post(chat, hello)).status).toBe(200);
    address = "127.0.0.2";
    await expect.poll(() => next.queries.length, { interval: 5 }).toBeGreaterThan(2);
    expect((await gateway.post(chat, hello)).status).toBe(200);
    expect([old.received.length, next.received.length]).toEqual([1, 1]);
  } finally {
    lookup.mockRestore();
    await next.stop();
  }
});

test("keeps probing while the resolver does not respond", async () => {
  const fake = await startFake();
  let responds = true;
  const real = dns.lookup.bind(dns) as (...all: unknown[]) => void;
  const lookup = vi.spyOn(dns, "lookup").mockImplementation((...all: unknown[]) => {
    // New connections can resolve the name, because a busy machine may have to reconnect.
    const connects = "hints" in (all[1] as object);
    if (all[0] !== "ollama.test") real(...all);
    else if (responds || connects) real("127.0.0.1", ...all.slice(1));
  });
  try {
    const gateway = await startGateway(fake, {
      LLM_SERVICE_HOST_IP: "ollama.test",
      POLL_INTERVAL_MS: "50",
      PROBE_TIMEOUT_MS: "500",
    });
    const status = async () => (await gateway.post(chat, hello)).status;
    await expect.poll(status).toBe(200);
    responds = false;
    const probes = () => fake.queries.filter((path) => path === "/api/version").length;
    const before = probes();
    await expect.poll(probes).toBeGreaterThan(before + 3);
    await expect.poll(status).toBe(200);
  } finally {
    lookup.mockRestore();
  }
});
