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

test("a request goes where its model is loaded, though another server has it too", async () => {
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

test("requests are spread by how busy the servers are, and each runs only what it can", async () => {
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

test("another server is made ready while the one that is loaded is busy", async () => {
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

test("a server that is gone is passed over, and used again soon after it has come back", async () => {
  const two = await startTwo((_left, right) => {
    right.models = ["other:1b"];
  });
  const { gateway, left } = two;
  const up = (value: number): string => `gateway_backend_up{backend="127.0.0.1:${left.port}"} ${value}`;
  await left.stop();
  await metric(gateway.url, up(0));
  const refused = await gateway.post(chat, hello);
  expect(refused.status).toBe(503);
  expect((await errorOf(refused)).code).toBe("upstream_unreachable");
  const again = await FakeOllama.start(left.port);
  try {
    await metric(gateway.url, up(1));
    expect((await gateway.post(chat, hello)).status).toBe(200);
    expect(again.received).toHaveLength(1);
  } finally {
    await again.stop();
  }
});

test("a server that answered nothing in time is not asked a second time about a model nobody else has", async () => {
  const [left, { port, hung }] = await Promise.all([startFake(), startHanging()]);
  const gateway = await startGateway(left, {
    LLM_BACKENDS: `127.0.0.1:${left.port}, 127.0.0.1:${port}`,
    POLL_INTERVAL_MS: "60000",
    PROBE_TIMEOUT_MS: "3000",
  });
  await eventually(() => (hung.length === 3 ? true : undefined));
  const refused = await gateway.post(chat, { ...hello, model: "nobodys:1b" });
  // It may hold the model: nobody can say that it does not exist.
  expect((await errorOf(refused)).code).toBe("upstream_unreachable");
  expect(hung).toHaveLength(3);
});

test("a model nobody has is refused without waiting for a server that is gone and never had it", async () => {
  const { gateway, left, right } = await startTwo(() => undefined, { PROBE_TIMEOUT_MS: "60000" });
  await right.stop();
  await metric(gateway.url, `gateway_backend_up{backend="127.0.0.1:${right.port}"} 0`);
  const { hung } = await startHanging(right.port);
  await eventually(() => (hung.length > 0 ? true : undefined));
  const refused = await gateway.post(chat, { ...hello, model: "nobodys:1b" });
  expect([refused.status, (await errorOf(refused)).code]).toEqual([404, "model_not_found"]);
  // What came to the others meanwhile is found.
  left.models = [...left.models, "nobodys:1b"];
  expect((await gateway.post(chat, { ...hello, model: "nobodys:1b" })).status).toBe(200);
});

test("a server that has just come back is not judged by a question that was asked before", async () => {
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
  const answer = gateway.post(chat, hello);
  await metric(gateway.url, "gateway_queue_depth 1");
  for (const socket of hung) socket.destroy();
  expect((await answer).status).toBe(200);
});

test("those that wait for a server that goes away are told at once", async () => {
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

test("a server whose name means another address is followed there", async () => {
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

test("a resolver that does not answer holds no probe", async () => {
  const fake = await startFake();
  let answers = true;
  const real = dns.lookup.bind(dns) as (...all: unknown[]) => void;
  const lookup = vi.spyOn(dns, "lookup").mockImplementation((...all: unknown[]) => {
    // A connection that a busy machine was too slow for is made again.
    const connects = "hints" in (all[1] as object);
    if (all[0] !== "ollama.test") real(...all);
    else if (answers || connects) real("127.0.0.1", ...all.slice(1));
  });
  try {
    const gateway = await startGateway(fake, {
      LLM_SERVICE_HOST_IP: "ollama.test",
      POLL_INTERVAL_MS: "50",
      PROBE_TIMEOUT_MS: "500",
    });
    const status = async () => (await gateway.post(chat, hello)).status;
    await expect.poll(status).toBe(200);
    answers = false;
    const probes = () => fake.queries.filter((path) => path === "/api/version").length;
    const before = probes();
    await expect.poll(probes).toBeGreaterThan(before + 3);
    await expect.poll(status).toBe(200);
  } finally {
    lookup.mockRestore();
  }
});
