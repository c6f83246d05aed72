import { expect, test, vi } from "vitest";
import { history } from "../../../gateway/src/admin/contract/history.ts";
import { HistoryRecorder } from "../../../gateway/src/admin/history.ts";
import { Viewer } from "../../../gateway/src/admin/viewer.ts";
import { Consumer } from "../../../gateway/src/auth/consumer.ts";
import { catalogue } from "../../../gateway/src/error-catalogue.ts";
import { ApiError, type ErrorCode } from "../../../gateway/src/errors.ts";
import { RequestRecord } from "../../../gateway/src/observability/request-record.ts";
import { admin, threeKeys } from "../../../test-support/gateway/admin-api.ts";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";
import { postChat } from "../../../test-support/gateway/key-requests.ts";

const everybody = new Viewer({ consumer: new Consumer({}) }, { isEmpty: true });
const idle = { inFlight: 0, queued: 0, memoryBytes: 1, tokensInFlight: 0 };

function endedRequest(fields: object): { record: RequestRecord } {
  return { record: Object.assign(new RequestRecord(), fields) };
}

test("keeps 720 points, which is an hour, oldest first", () => {
  const recorder = new HistoryRecorder();
  for (let n = 1; n <= 1000; n += 1) recorder.endInterval(n * 5000, { ...idle, queued: n });
  const shown = history().parse(recorder.show(everybody));
  expect(shown.queued).toHaveLength(720);
  expect([shown.queued[0], shown.queued.at(-1)]).toEqual([281, 1000]);
  expect([shown.at[0], shown.at.at(-1)]).toEqual([281 * 5, 5000]);
  for (const values of Object.values(shown.errors)) expect(values).toHaveLength(720);
});

test("counts requests, errors, tokens and percentiles per interval", () => {
  const recorder = new HistoryRecorder();
  const admitted = (queueMs: number) => ({ ran: true, queueMs });
  for (let n = 1; n <= 100; n += 1) {
    const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
    recorder.requestEnded(endedRequest({ admitted: admitted(n), firstTokenMs: 10 * n, usage }));
  }
  const errors: [ErrorCode, number][] = [
    ["queue_full", 2],
    ["invalid_api_key", 3],
    ["client_left", 1],
  ];
  for (const [code, count] of errors) {
    for (let n = 0; n < count; n += 1) recorder.requestEnded(endedRequest({ error: new ApiError(code) }));
  }
  recorder.endInterval(5000, { ...idle, inFlight: 3, queued: 4 });
  recorder.endInterval(10_000, idle);
  expect(recorder.show(everybody)).toMatchObject({
    requests: [106, 0],
    errors: { overloaded: [2, 0], unauthorized: [3, 0], client_left: [1, 0], internal: [0, 0] },
    generated_tokens_per_second: [100, 0],
    prompt_tokens_per_second: [200, 0],
    first_token_p50_ms: [500, null],
    first_token_p95_ms: [950, null],
    queue_p50_ms: [50, null],
    queue_p95_ms: [95, null],
    in_flight: [3, 0],
    queued: [4, 0],
  });
});

test("counts tokens when they are generated, not when their request ends", () => {
  const recorder = new HistoryRecorder();
  recorder.endInterval(5000, { ...idle, tokensInFlight: 50 });
  recorder.endInterval(10_000, { ...idle, tokensInFlight: 80 });
  const usage = { prompt_tokens: 1, completion_tokens: 100, total_tokens: 101 };
  recorder.requestEnded(endedRequest({ admitted: { ran: true, queueMs: 0 }, usage }));
  recorder.endInterval(15_000, idle);
  // The estimate for requests in flight can be too high.
  recorder.endInterval(20_000, { ...idle, tokensInFlight: 50 });
  recorder.requestEnded(
    endedRequest({ admitted: { ran: true, queueMs: 0 }, usage: { ...usage, completion_tokens: 10 } }),
  );
  recorder.endInterval(25_000, idle);
  expect(recorder.show(everybody).generated_tokens_per_second).toEqual([10, 6, 4, 10, 0]);
});

test("computes percentiles from the latest requests if there are more requests than samples", () => {
  const recorder = new HistoryRecorder();
  const admitted = { ran: true, queueMs: 0 };
  for (let n = 0; n < 100_000; n += 1)
    recorder.requestEnded(endedRequest({ admitted, firstTokenMs: n < 99_000 ? 1 : 7 }));
  recorder.endInterval(5000, idle);
  expect(recorder.show(everybody)).toMatchObject({ requests: [100_000], first_token_p50_ms: [7] });
});

test("assigns a kind to every error code", () => {
  const recorder = new HistoryRecorder();
  const codes = Object.keys(catalogue) as ErrorCode[];
  for (const code of codes) recorder.requestEnded(endedRequest({ error: new ApiError(code) }));
  recorder.endInterval(5000, idle);
  const { errors } = recorder.show(everybody);
  expect(Object.values(errors).reduce((sum, [count = 0]) => sum + count, 0)).toBe(codes.length);
  // Only the gateway's own failure is internal.
  expect(errors.internal).toEqual([1]);
});

test("includes a request in the next point for every key, without names", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"], shouldAdvanceTime: false });
  const { ada, bob, API_KEYS } = threeKeys();
  const gateway = await startGateway(await startFake(), { API_KEYS });
  await (await postChat(gateway, ada)).text();
  await gateway.requestLine("/v1/chat/completions");
  vi.advanceTimersByTime(5000);
  vi.useRealTimers();
  const shown = await admin(gateway, "history", { key: bob });
  expect(shown).toMatchObject({ requests: [1], generated_tokens_per_second: [0.6], queued: [0] });
  expect(shown.memory_bytes[0]).toBeGreaterThan(1e6);
  expect(JSON.stringify(shown)).not.toContain("ada");
});
