import { expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { last } from "../../../test-support/fakes/ollama/steps.ts";
import {
  errorOf,
  hello,
  metric,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import { postChat } from "../../../test-support/gateway/key-requests.ts";

const hog = newKey("hog", []);
const other = newKey("other", []);
const operator = newKey("operator", ["admin"]);

async function startSmallQueue(limit: number, environment: Record<string, string> = {}) {
  const fake = await startFake();
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.respondWith({ until: released }, last({ message: { content: "x" } }));
  const gateway = await startGateway(fake, {
    OLLAMA_NUM_PARALLEL: "1",
    QUEUE_LIMIT: `${limit}`,
    API_KEYS: [hog, other, operator].map(({ line }) => line).join(";"),
    ...environment,
  });
  const headers = { authorization: `Bearer ${operator.key}` };
  return {
    fake,
    gateway,
    /** Waits for a line in the metrics. */
    untilMetric: (line: string) => metric(gateway.url, line, { headers }),
    release: () => {
      release(undefined);
    },
  };
}

const statuses = async (responses: readonly Promise<Response>[]): Promise<number[]> =>
  (await Promise.all(responses)).map(({ status }) => status);

test("a key with the most queued requests makes room for other keys in a full queue", async () => {
  const { fake, gateway, untilMetric, release } = await startSmallQueue(4);
  const hogResponses = [postChat(gateway, hog.key)];
  await fake.conversation();
  for (let n = 0; n < 4; n += 1) {
    hogResponses.push(postChat(gateway, hog.key));
    await untilMetric(`gateway_queue_depth ${n + 1}`);
  }
  const otherResponses = [postChat(gateway, other.key)];
  const refused = await Promise.race(hogResponses);
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  expect((await errorOf(refused)).code).toBe("queue_full");
  otherResponses.push(postChat(gateway, other.key));
  await untilMetric('gateway_refusals_total{reason="queue_full"} 2');
  await untilMetric("gateway_queue_depth 4");
  await untilMetric("gateway_requests_in_flight 1");
  release();
  expect(await statuses(otherResponses)).toEqual([200, 200]);
  // Its last two requests make room.
  expect(await statuses(hogResponses)).toEqual([200, 200, 200, 503, 503]);
  await untilMetric("gateway_queue_depth 0");
  await untilMetric("gateway_requests_in_flight 0");
});

test("a key makes no room for another with as many queued requests, nor for itself", async () => {
  const { fake, gateway, untilMetric, release } = await startSmallQueue(2);
  const first = postChat(gateway, hog.key);
  await fake.conversation();
  const waiting = [postChat(gateway, hog.key)];
  await untilMetric("gateway_queue_depth 1");
  waiting.push(postChat(gateway, other.key));
  await untilMetric("gateway_queue_depth 2");
  expect((await postChat(gateway, other.key)).status).toBe(503);
  expect((await postChat(gateway, hog.key)).status).toBe(503);
  release();
  expect(await statuses([first, ...waiting])).toEqual([200, 200, 200]);
});

test("a queued stream that makes room ends with the error", async () => {
  const { fake, gateway, untilMetric, release } = await startSmallQueue(2);
  const first = postChat(gateway, hog.key);
  await fake.conversation();
  const kept = postChat(gateway, hog.key);
  await untilMetric("gateway_queue_depth 1");
  const displaced = postChat(gateway, hog.key, { ...hello, stream: true });
  await untilMetric("gateway_queue_depth 2");
  const otherResponse = postChat(gateway, other.key);
  const response = await displaced;
  expect(response.status).toBe(503);
  expect((await errorOf(response)).code).toBe("queue_full");
  release();
  expect(await statuses([first, kept, otherResponse])).toEqual([200, 200, 200]);
});

test("a key whose prompt lists requeue does not lock other keys out of the queue", async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  const { promise: started, resolve: start } = Promise.withResolvers<undefined>();
  const { fake, gateway, untilMetric } = await startSmallQueue(2);
  fake.respondTo((body) => {
    const { prompt } = body as unknown as { readonly prompt?: string };
    return [
      { until: prompt === "first" ? started : released },
      last({ response: "x", message: { content: "x" } }),
    ];
  });
  const postPrompts = () =>
    gateway.post(
      "/v1/completions",
      { model: "m", prompt: ["first", "second"] },
      {
        headers: { "content-type": "application/json", authorization: `Bearer ${hog.key}` },
      },
    );
  const hogResponses = [postPrompts()];
  await fake.conversation();
  for (let n = 0; n < 2; n += 1) {
    hogResponses.push(postPrompts());
    await untilMetric(`gateway_queue_depth ${n + 1}`);
  }
  start(undefined);
  // The second prompt of the first list. The other lists have finished their first prompt and are queued again.
  await fake.conversation(3);
  const otherResponses = [postChat(gateway, other.key)];
  await untilMetric("gateway_queue_depth 3");
  // A key may exceed the limit by one request at most, so the queue stays bounded.
  expect((await postChat(gateway, other.key)).status).toBe(503);
  expect((await postPrompts()).status).toBe(503);
  release(undefined);
  expect(await statuses([...hogResponses, ...otherResponses])).toEqual([200, 200, 200, 200]);
  await untilMetric("gateway_queue_depth 0");
  await untilMetric("gateway_requests_in_flight 0");
});

test("requests for a model still being looked up do not lock other keys out of the queue", async () => {
  const { promise: listed, resolve: releaseList } = Promise.withResolvers<undefined>();
  const { fake, gateway, untilMetric, release } = await startSmallQueue(2, { PROBE_TIMEOUT_MS: "60000" });
  const first = postChat(gateway, hog.key);
  await fake.conversation();
  fake.tagsAfter = listed;
  const absent: Promise<Response>[] = [];
  for (let n = 0; n < 3; n += 1) {
    absent.push(postChat(gateway, hog.key, { ...hello, model: "absent" }));
    await untilMetric(`gateway_queue_depth ${n + 1}`);
  }
  expect((await postChat(gateway, hog.key, { ...hello, model: "absent" })).status).toBe(503);
  const otherResponse = postChat(gateway, other.key);
  await untilMetric("gateway_queue_depth 4");
  releaseList(undefined);
  expect(await statuses(absent)).toEqual([404, 404, 404]);
  release();
  expect(await statuses([first, otherResponse])).toEqual([200, 200]);
  await untilMetric("gateway_queue_depth 0");
});
