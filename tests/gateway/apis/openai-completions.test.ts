import { describe, expect, test } from "vitest";
import { last } from "../../../test-support/fakes/ollama/steps.ts";
import {
  errorOf,
  readEvents,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";

const route = "/v1/completions";
const baseRequest = { model: "m", prompt: "Say" };
const logprob = (token: string, top: string) => ({
  token,
  logprob: -0.5,
  top_logprobs: [{ token: top, logprob: -0.25 }],
});

describe("POST /v1/completions", () => {
  test("returns a buffered completion", async () => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    expect(
      await gateway.openai.completions.create({ ...baseRequest, prompt: ["Say"], max_tokens: 5 }),
    ).toEqual({
      id: expect.stringMatching(/^cmpl-/) as string,
      object: "text_completion",
      created: expect.any(Number) as number,
      model: "m",
      choices: [{ index: 0, text: "Hello there.", logprobs: null, finish_reason: "stop" }],
      usage: { prompt_tokens: 11, completion_tokens: 3, total_tokens: 14 },
      system_fingerprint: "fp_ollama",
    });
    expect((await fake.conversation()).path).toBe("/api/generate");
    expect((await fake.conversation()).body).toEqual({
      model: "m",
      prompt: "Say",
      stream: false,
      options: { num_predict: 5 },
      truncate: false,
      shift: false,
    });
  });

  test("passes on the other parameters to Ollama", async () => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    const overrides = { suffix: "end", temperature: 0, seed: 1, stop: ".", keep_alive: "1m", truncate: true };
    expect((await gateway.post(route, { ...baseRequest, ...overrides, logprobs: 2 })).status).toBe(200);
    expect((await fake.conversation()).body).toEqual({
      model: "m",
      prompt: "Say",
      suffix: "end",
      stream: false,
      options: { temperature: 0, seed: 1, stop: ["."] },
      keep_alive: "1m",
      truncate: true,
      shift: true,
      logprobs: true,
      top_logprobs: 2,
    });
  });

  test("streams a completion in pieces, with usage on request", async () => {
    const gateway = await startGateway(await startFake());
    const body = { ...baseRequest, stream: true, stream_options: { include_usage: true } };
    const { data, brokenOff } = await readEvents(await gateway.post(route, body));
    expect(brokenOff).toBe(false);
    expect(data.pop()).toBe("[DONE]");
    const choice = (text: string, finish: string | null) => ({
      choices: [{ index: 0, text, logprobs: null, finish_reason: finish }],
      usage: null,
    });
    expect(data.map((event) => JSON.parse(event) as object)).toMatchObject([
      choice("Hello", null),
      choice(" there.", null),
      choice("", "stop"),
      { choices: [], usage: { total_tokens: 14 } },
    ]);
  });

  test("returns token probabilities in the legacy format, with offsets that continue through a stream", async () => {
    const fake = await startFake();
    fake.respondWith(
      { line: { response: "ab", logprobs: [logprob("ab", "x")], done: false } },
      last({ response: "c", logprobs: [logprob("c", "c")] }),
    );
    const gateway = await startGateway(fake);
    const expected = {
      tokens: ["ab", "c"],
      token_logprobs: [-0.5, -0.5],
      top_logprobs: [{ x: -0.25 }, { c: -0.25 }],
      text_offset: [0, 2],
    };
    const offsets: unknown[] = [];
    const stream = await gateway.openai.completions.create({ ...baseRequest, logprobs: 1, stream: true });
    for await (const chunk of stream) offsets.push(chunk.choices[0]?.logprobs?.text_offset);
    expect(offsets).toEqual([[0], [2], undefined]);
    const completion = await gateway.openai.completions.create({ ...baseRequest, logprobs: 1 });
    expect(completion.choices[0]?.logprobs).toEqual(expected);
  });

  test("sends an error event and breaks the connection if a stream fails", async () => {
    const fake = await startFake();
    fake.respondWith({ line: { response: "Hel", done: false } }, { waitMs: 20 }, { line: { error: "died" } });
    const gateway = await startGateway(fake);
    const { data, brokenOff } = await readEvents(await gateway.post(route, { ...baseRequest, stream: true }));
    expect(data.at(-1)).toContain('"upstream_failed"');
    expect(brokenOff).toBe(true);
  });

  test.each([
    [{ prompt: undefined }, "prompt", "missing_required_parameter"],
    [{ prompt: [[1, 2]] }, "prompt", "unsupported_parameter"],
    [{ prompt: [1, 2] }, "prompt", "unsupported_parameter"],
    [{ n: 2 }, "n", "unsupported_parameter"],
    [{ best_of: 2 }, "best_of", "unsupported_parameter"],
    [{ echo: true }, "echo", "unsupported_parameter"],
    [{ logit_bias: { "5": 1 } }, "logit_bias", "unsupported_parameter"],
    [{ logprobs: 6 }, "logprobs", "invalid_value"],
  ])("rejects %j and names %s", async (overrides, param, code) => {
    const gateway = await startGateway(await startFake());
    const response = await gateway.post(route, { ...baseRequest, ...overrides });
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toMatchObject({ param, code });
  });
});
