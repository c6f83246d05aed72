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
const guest = newKey("guest", []);
const operator = newKey("operator", ["admin"]);

async function startSmall(limit: number, environment: Record<string, string> = {}) {
  const fake = await startFake();
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.respondWith({ until: released }, last({ message: { content: "x" } }));
  const gateway = await startGateway(fake, {
    OLLAMA_NUM_PARALLEL: "1",
    QUEUE_LIMIT: `${limit}`,
    API_KEYS: [hog, guest, operator].map(({ line }) => line).join(";"),
    ...environment,
  });
  const headers = { authorization: `Bearer ${operator.key}` };
  return {
    fake,
    gateway,
    /** Waits for a line of the metrics. */
    shows: (line: string) => metric(gateway.url, line, { headers }),
    release: () => {
      release(undefined);
    },
  };
}

const statuses = async (responses: readonly Promise<Response>[]): Promise<number[]> =>
  (await Promise.all(responses)).map(({ status }) => status);

test("one key filled the queue, and every other key got a 503: its last requests make room now", async () => {
  const { fake, gateway, shows, release } = await startSmall(4);
  const hogs = [postChat(gateway, hog.key)];
  await fake.conversation();
  for (let n = 0; n < 4; n += 1) {
    hogs.push(postChat(gateway, hog.key));
    await shows(`gateway_queue_depth ${n + 1}`);
  }
  const guests = [postChat(gateway, guest.key)];
  const refused = await Promise.race(hogs);
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  expect((await errorOf(refused)).code).toBe("queue_full");
  guests.push(postChat(gateway, guest.key));
  await shows('gateway_refusals_total{reason="queue_full"} 2');
  await shows("gateway_queue_depth 4");
  await shows("gateway_requests_in_flight 1");
  release();
  expect(await statuses(guests)).toEqual([200, 200]);
  // The last two that came.
  expect(await statuses(hogs)).toEqual([200, 200, 200, 503, 503]);
  await shows("gateway_queue_depth 0");
  await shows("gateway_requests_in_flight 0");
});

test("a key makes no room for one that has as many requests waiting, nor for itself", async () => {
  const { fake, gateway, shows, release } = await startSmall(2);
  const first = postChat(gateway, hog.key);
  await fake.conversation();
  const waiting = [postChat(gateway, hog.key)];
  await shows("gateway_queue_depth 1");
  waiting.push(postChat(gateway, guest.key));
  await shows("gateway_queue_depth 2");
  expect((await postChat(gateway, guest.key)).status).toBe(503);
  expect((await postChat(gateway, hog.key)).status).toBe(503);
  release();
  expect(await statuses([first, ...waiting])).toEqual([200, 200, 200]);
});

test("a stream that waited for its turn and had to make room ends with the error", async () => {
  const { fake, gateway, shows, release } = await startSmall(2);
  const first = postChat(gateway, hog.key);
  await fake.conversation();
  const kept = postChat(gateway, hog.key);
  await shows("gateway_queue_depth 1");
  const displaced = postChat(gateway, hog.key, { ...hello, stream: true });
  await shows("gateway_queue_depth 2");
  const other = postChat(gateway, guest.key);
  const response = await displaced;
  expect(response.status).toBe(503);
  expect((await errorOf(response)).code).toBe("queue_full");
  release();
  expect(await statuses([first, kept, other])).toEqual([200, 200, 200]);
});

test("a key filled the queue with lists of prompts that had begun, and every other key got a 503", async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<undefined>();
  const { fake, gateway, shows } = await startSmall(2);
  fake.respondTo((body) => {
    const { prompt } = body as unknown as { readonly prompt?: string };
    return [
      { until: prompt === "first" ? begun : released },
      last({ response: "x", message: { content: "x" } }),
    ];
  });
  const list = () =>
    gateway.post(
      "/v1/completions",
      { model: "m", prompt: ["first", "second"] },
      {
        headers: { "content-type": "application/json", authorization: `Bearer ${hog.key}` },
      },
    );
  const hogs = [list()];
  await fake.conversation();
  for (let n = 0; n < 2; n += 1) {
    hogs.push(list());
    await shows(`gateway_queue_depth ${n + 1}`);
  }
  begin(undefined);
  // The second prompt of the first list: the others have had their first prompt answered, and wait again.
  await fake.conversation(3);
  const guests = [postChat(gateway, guest.key)];
  await shows("gateway_queue_depth 3");
  // A key has one request more than others at most, so the queue stays bounded.
  expect((await postChat(gateway, guest.key)).status).toBe(503);
  expect((await list()).status).toBe(503);
  release(undefined);
  expect(await statuses([...hogs, ...guests])).toEqual([200, 200, 200, 200]);
  await shows("gateway_queue_depth 0");
  await shows("gateway_requests_in_flight 0");
});

test("requests for a model that is being looked for filled the queue, and every other key got a 503", async () => {
  const { promise: listed, resolve: list } = Promise.withResolvers<undefined>();
  const { fake, gateway, shows, release } = await startSmall(2, { PROBE_TIMEOUT_MS: "60000" });
  const first = postChat(gateway, hog.key);
  await fake.conversation();
  fake.tagsAfter = listed;
  const absent: Promise<Response>[] = [];
  for (let n = 0; n < 3; n += 1) {
    absent.push(postChat(gateway, hog.key, { ...hello, model: "absent" }));
    await shows(`gateway_queue_depth ${n + 1}`);
  }
  expect((await postChat(gateway, hog.key, { ...hello, model: "absent" })).status).toBe(503);
  const other = postChat(gateway, guest.key);
  await shows("gateway_queue_depth 4");
  list(undefined);
  expect(await statuses(absent)).toEqual([404, 404, 404]);
  release();
  expect(await statuses([first, other])).toEqual([200, 200]);
  await shows("gateway_queue_depth 0");
});
