import { describe, expect, test } from "vitest";
import { token } from "../../../test-support/fake-ollama.ts";
import { hello, metric, readEvents } from "../../../test-support/gateway-harness.ts";
import { count, startTwo, type Two } from "../../../test-support/two-backends.ts";

const chat = "/v1/chat/completions";
const streamed = { ...hello, stream: true };

describe.each([
  ["whole", hello],
  ["streamed", streamed],
])("before the first byte, %s", (_form, body) => {
  async function answered({ gateway, right }: Two): Promise<void> {
    const response = await gateway.post(chat, body);
    expect(response.status).toBe(200);
    if (body === hello) expect(await response.text()).toContain("Hello there.");
    else {
      const { data, brokenOff } = await readEvents(response);
      expect([data.length, data.at(-1), brokenOff]).toEqual([6, "[DONE]", false]);
    }
    expect(await gateway.requestLine(chat)).toMatchObject({
      status: 200,
      backend: `127.0.0.1:${right.port}`,
    });
  }

  test.each([
    ["breaks off", ["cut"]],
    ["is overloaded", [{ status: 503, body: '{"error":"server busy"}' }]],
    ["lost the model", [{ status: 404, body: '{"error":"model not found"}' }]],
  ] as const)("a server that %s is replaced by another", async (_what, script) => {
    const two = await startTwo((left) => {
      left.answers(...script);
    });
    await answered(two);
    expect(count(two)).toEqual([1, 1]);
  });

  test("a server that refuses the connection is replaced by another that has the model", async () => {
    // Nobody looks in between, so the request is the first to notice.
    const two = await startTwo(() => undefined, { POLL_INTERVAL_MS: "60000" });
    const { gateway, left } = two;
    await left.stop();
    await metric(gateway.url, `gateway_backend_up{backend="127.0.0.1:${left.port}"} 1`);
    await answered(two);
    expect(count(two)).toEqual([0, 1]);
    await metric(gateway.url, `gateway_backend_up{backend="127.0.0.1:${left.port}"} 0`);
  });
});

test("after the first byte nothing is asked a second time", async () => {
  const two = await startTwo((left) => {
    left.answers(token("Hel"), { waitMs: 20 }, "cut");
  });
  const { data, brokenOff } = await readEvents(await two.gateway.post(chat, streamed));
  expect(data.at(-1)).toContain("upstream_incomplete");
  expect(brokenOff).toBe(true);
  expect(count(two)).toEqual([1, 0]);
  await metric(two.gateway.url, 'gateway_stream_failures_total{code="upstream_incomplete"} 1');
});

test("a failure of Ollama's own is not tried elsewhere", async () => {
  const two = await startTwo((left) => {
    left.answers({ status: 500, body: '{"error":"out of memory"}' });
  });
  expect((await two.gateway.post(chat, hello)).status).toBe(502);
  expect(count(two)).toEqual([1, 0]);
});
