import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { last } from "../../../test-support/fakes/ollama/steps.ts";
import {
  errorOf,
  metric,
  readEvents,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import {
  completion,
  echoes,
  respondToOne,
  promptOf,
  prompts,
  route,
  streamed,
} from "../../../test-support/fakes/ollama/prompts.ts";

const json = { "content-type": "application/json" };

interface Chunk {
  readonly choices: readonly {
    readonly index: number;
    readonly text: string;
    finish_reason: string | null;
  }[];
  readonly usage?: { readonly total_tokens: number } | null;
}

describe("several prompts", () => {
  test("return one choice each, in order, with their total usage", async () => {
    const fake = await startFake();
    echoes(fake, { b: { done_reason: "length", eval_count: 5 } });
    const gateway = await startGateway(fake);
    const response = await gateway.openai.completions.create({ ...completion, max_tokens: 5 });
    expect(response.choices).toEqual([
      { index: 0, text: "aa", logprobs: null, finish_reason: "stop" },
      { index: 1, text: "bb", logprobs: null, finish_reason: "length" },
      { index: 2, text: "cc", logprobs: null, finish_reason: "stop" },
    ]);
    expect(response.usage).toEqual({ prompt_tokens: 33, completion_tokens: 11, total_tokens: 44 });
    expect(fake.received.map(({ body }) => body)).toMatchObject(
      prompts.map((prompt) => ({ prompt, stream: false, options: { num_predict: 5 } })),
    );
    expect(await gateway.requestLine(route)).toMatchObject({ prompt_tokens: 33, completion_tokens: 11 });
  });

  test("are streamed with an index per chunk, an end per choice, the total usage and one [DONE]", async () => {
    const fake = await startFake();
    echoes(fake, { c: { done_reason: "length" } });
    const gateway = await startGateway(fake);
    const body = { ...streamed, stream_options: { include_usage: true } };
    const { data, brokenOff } = await readEvents(await gateway.post(route, body));
    expect(brokenOff).toBe(false);
    expect(data.filter((event) => event === "[DONE]")).toHaveLength(1);
    expect(data.pop()).toBe("[DONE]");
    const chunks = data.map((event) => JSON.parse(event) as Chunk & { id: string });
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect(chunks.pop()).toMatchObject({ choices: [], usage: { total_tokens: 42 } });
    expect(chunks.every(({ usage }) => usage === null)).toBe(true);
    expect(chunks.flatMap(({ choices }) => choices)).toMatchObject(
      prompts.flatMap((text, index) => [
        { index, text, finish_reason: null },
        { index, text, finish_reason: null },
        { index, text: "", finish_reason: index === 2 ? "length" : "stop" },
      ]),
    );
  });

  test("are assembled by OpenAI's client, without usage unless requested", async () => {
    const fake = await startFake();
    echoes(fake);
    const gateway = await startGateway(fake);
    const texts = ["", "", ""];
    for await (const chunk of await gateway.openai.completions.create({ ...completion, stream: true })) {
      expect(chunk).not.toHaveProperty("usage");
      for (const { index, text } of chunk.choices) texts[index] = (texts[index] ?? "") + text;
    }
    expect(texts).toEqual(["aa", "bb", "cc"]);
  });

  test("have token probabilities whose offsets start at 0 for each", async () => {
    const fake = await startFake();
    const entry = { token: "xy", logprob: -1, top_logprobs: [] };
    const logprobs = { logprobs: [entry, entry] };
    echoes(fake, { a: logprobs, b: logprobs });
    const gateway = await startGateway(fake);
    const both = { ...completion, prompt: ["a", "b"], logprobs: 1 };
    const response = await gateway.openai.completions.create(both);
    expect(response.choices.map((choice) => choice.logprobs?.text_offset)).toEqual([
      [0, 2],
      [0, 2],
    ]);
    const offsets: unknown[] = [];
    for await (const { choices } of await gateway.openai.completions.create({ ...both, stream: true })) {
      offsets.push(...choices.flatMap(({ logprobs: value }) => (value ? [value.text_offset] : [])));
    }
    expect(offsets).toEqual([
      [0, 2],
      [0, 2],
    ]);
  });

  test("apply keep_alive only after the last one", async () => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    expect((await gateway.post(route, { ...completion, keep_alive: 0 })).status).toBe(200);
    expect(fake.received.map(({ body }) => body.keep_alive)).toEqual([undefined, undefined, 0]);
    expect(fake.loads).toHaveLength(0);
  });

  test("are rejected if there are more than 128 or any is empty or a token id", async () => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    const rejectionOf = async (prompt: unknown): Promise<object> => {
      const response = await gateway.post(route, { ...completion, prompt });
      expect(response.status).toBe(400);
      return errorOf(response);
    };
    const many = Array.from({ length: 129 }, () => "a");
    expect(await rejectionOf(many)).toMatchObject({
      code: "invalid_value",
      param: "prompt",
      message: expect.stringContaining("<=128") as string,
    });
    expect(await rejectionOf([])).toMatchObject({ code: "invalid_value", param: "prompt" });
    expect(await rejectionOf(["a", ""])).toMatchObject({ code: "invalid_value", param: "prompt[1]" });
    expect(await rejectionOf(["a", 1])).toMatchObject({ code: "invalid_type", param: "prompt[1]" });
    for (const ids of [[1, 2, 3], [[1, 2]], [[1], [2, 3]]]) {
      expect(await rejectionOf(ids)).toMatchObject({
        code: "unsupported_parameter",
        param: "prompt",
        message: expect.stringContaining("token IDs are not supported") as string,
      });
    }
    expect(fake.received).toHaveLength(0);
    expect((await gateway.post(route, { ...completion, prompt: many.slice(1) })).status).toBe(200);
    expect(fake.received).toHaveLength(128);
  });
});

describe("a failure of one prompt fails the request", () => {
  test("with a status if the response is buffered", async () => {
    const fake = await startFake();
    respondToOne(fake, "b", { status: 500, body: '{"error":"out of memory"}' });
    const gateway = await startGateway(fake);
    const response = await gateway.post(route, completion);
    expect(response.status).toBe(502);
    expect((await errorOf(response)).code).toBe("upstream_failed");
    expect(fake.received.map(promptOf)).toEqual(["a", "b"]);
  });

  test("with an error event and a broken connection in mid-stream", async () => {
    const fake = await startFake();
    respondToOne(fake, "b", "cut");
    const gateway = await startGateway(fake);
    const { data, brokenOff } = await readEvents(await gateway.post(route, streamed));
    expect(brokenOff).toBe(true);
    expect(data).not.toContain("[DONE]");
    expect(data.join()).toContain('"finish_reason":"stop"');
    expect(JSON.parse(data.at(-1) ?? "")).toMatchObject({ error: { code: "upstream_failed" } });
    await metric(gateway.url, 'gateway_stream_failures_total{code="upstream_failed"} 1');
    await metric(gateway.url, "gateway_requests_in_flight 0");
    await metric(gateway.url, "gateway_queue_depth 0");
  });

  test("and the error names a prompt that is too long", async () => {
    const fake = await startFake();
    respondToOne(fake, "c", { status: 400, body: '{"error":"the input length exceeds the context length"}' });
    const gateway = await startGateway(fake);
    const response = await gateway.post(route, completion);
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toMatchObject({ code: "context_length_exceeded", param: "prompt[2]" });
  });
});

describe("a client that sends several prompts", () => {
  test.each([completion, streamed])(
    "stops the current and the remaining prompts by disconnecting (%j)",
    async (body) => {
      const fake = await startFake();
      respondToOne(fake, "b", "hang");
      const gateway = await startGateway(fake);
      const client = new AbortController();
      const response = gateway.post(route, body, { signal: client.signal }).then((each) => each.text());
      response.catch(() => undefined);
      const second = await fake.conversation(1);
      client.abort();
      expect(await second.brokenOff).toBe(true);
      expect(await gateway.requestLine(route)).toMatchObject({ error: "client_left" });
      await metric(gateway.url, "gateway_requests_in_flight 0");
      await metric(gateway.url, "gateway_queue_depth 0");
      expect(fake.received).toHaveLength(2);
    },
  );

  test("holds back the next prompt by not reading", async () => {
    const fake = await startFake();
    // More than the kernel's buffers hold, in one chunk.
    respondToOne(fake, "a", last({ response: "x".repeat(20e6) }));
    const gateway = await startGateway(fake);
    const client = request(gateway.url + route, { method: "POST", headers: json });
    client.end(JSON.stringify(streamed));
    const [response] = (await once(client, "response")) as [IncomingMessage];
    response.pause();
    await wait(300);
    expect(fake.received).toHaveLength(1);
    await metric(gateway.url, "gateway_requests_in_flight 0");
    const text = Buffer.concat(await response.toArray()).toString();
    expect(text.match(/"finish_reason":"stop"/g)).toHaveLength(3);
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
  });
});

test("logs the text of each prompt if LOG_TEXT is on", async () => {
  const fake = await startFake();
  echoes(fake);
  const gateway = await startGateway(fake, { LOG_TEXT: "on" });
  await (await gateway.post(route, completion)).text();
  expect(await gateway.requestLine(route)).toMatchObject({ prompt: prompts, answer: ["aa", "bb", "cc"] });
});
