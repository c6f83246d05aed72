import { describe, expect, test } from "vitest";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import { hello, readEvents, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

describe("POST /v1/chat/completions, buffered", () => {
  test("returns a completion in OpenAI format, with usage and finish reason", async () => {
    const gateway = await startGateway(await startFake());
    const before = Math.floor(Date.now() / 1000);
    const response = await gateway.post("/v1/chat/completions", hello);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toMatch(/^application\/json/);
    const completion = (await response.json()) as { id: string; created: number };
    expect(completion).toEqual({
      id: expect.stringMatching(/^chatcmpl-/) as string,
      object: "chat.completion",
      created: expect.any(Number) as number,
      model: "m",
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: "Hello there.", refusal: null },
          logprobs: null,
          finish_reason: "stop",
        },
      ],
      usage: { prompt_tokens: 11, completion_tokens: 3, total_tokens: 14 },
      system_fingerprint: "fp_ollama",
    });
    expect(completion.created).toBeGreaterThanOrEqual(before);
  });

  test("returns the finish reason length at the token limit", async () => {
    const fake = await startFake();
    fake.respondWith(last({ done_reason: "length", message: { content: "Hel" } }));
    const gateway = await startGateway(fake);
    const completion = await gateway.openai.chat.completions.create(hello);
    expect(completion.choices[0]?.finish_reason).toBe("length");
  });

  test("gives every completion a unique ID", async () => {
    const gateway = await startGateway(await startFake());
    const completions = await Promise.all([1, 2, 3].map(() => gateway.openai.chat.completions.create(hello)));
    expect(new Set(completions.map(({ id }) => id)).size).toBe(3);
  });

  test("returns zero for counts that Ollama omits", async () => {
    const fake = await startFake();
    fake.respondWith({ line: { message: { content: "x" }, done: true, done_reason: "stop", eval_count: 1 } });
    const gateway = await startGateway(fake);
    const { usage } = await gateway.openai.chat.completions.create(hello);
    expect(usage).toEqual({ prompt_tokens: 0, completion_tokens: 1, total_tokens: 1 });
  });

  test("returns the model's thinking and its token probabilities", async () => {
    const fake = await startFake();
    const logprobs = [{ token: "A", logprob: -0.5, bytes: [65], top_logprobs: [] }];
    fake.respondWith(last({ message: { content: "A", thinking: "Hmm." }, logprobs }));
    const gateway = await startGateway(fake);
    const completion = await gateway.openai.chat.completions.create({
      ...hello,
      logprobs: true,
      top_logprobs: 2,
    });
    expect(completion.choices[0]?.message).toMatchObject({ content: "A", reasoning_content: "Hmm." });
    expect(completion.choices[0]?.logprobs).toEqual({ content: logprobs, refusal: null });
    expect((await fake.conversation()).body).toMatchObject({ logprobs: true, top_logprobs: 2 });
  });
});

describe("POST /v1/chat/completions, streaming", () => {
  test("sends the role, each piece, the finish reason and [DONE], each chunk with the same ID", async () => {
    const gateway = await startGateway(await startFake());
    const response = await gateway.post("/v1/chat/completions", { ...hello, stream: true });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    expect(response.headers.get("cache-control")).toContain("no-cache");
    const { data, brokenOff } = await readEvents(response);
    expect(brokenOff).toBe(false);
    expect(data.pop()).toBe("[DONE]");
    const chunks = data.map((chunk) => JSON.parse(chunk) as { id: string; choices: { delta: object }[] });
    expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
    expect(chunks.map((chunk) => chunk.choices[0])).toEqual([
      {
        index: 0,
        delta: { role: "assistant", content: "", refusal: null },
        logprobs: null,
        finish_reason: null,
      },
      { index: 0, delta: { content: "Hello" }, logprobs: null, finish_reason: null },
      { index: 0, delta: { content: " there" }, logprobs: null, finish_reason: null },
      { index: 0, delta: { content: "." }, logprobs: null, finish_reason: null },
      { index: 0, delta: {}, logprobs: null, finish_reason: "stop" },
    ]);
    expect(chunks.every((chunk) => !("usage" in chunk))).toBe(true);
  });

  test("sends usage in a separate chunk on request", async () => {
    const gateway = await startGateway(await startFake());
    const body = { ...hello, stream: true, stream_options: { include_usage: true } };
    const { data } = await readEvents(await gateway.post("/v1/chat/completions", body));
    const chunks = data
      .slice(0, -1)
      .map((chunk) => JSON.parse(chunk) as { choices: unknown[]; usage: unknown });
    expect(chunks.at(-1)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 11, completion_tokens: 3, total_tokens: 14 },
    });
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
  });

  test("sends thinking, text with its probabilities, and calls, chunk by chunk", async () => {
    const toolCall = (city: string) => ({ function: { name: "weather", arguments: { city } } });
    const line = (message: object, more: object = {}) => ({ line: { message, ...more, done: false } });
    const A = { token: "A", logprob: -0.5, bytes: [65] };
    const fake = await startFake();
    fake.respondWith(
      line({ thinking: "Hm." }),
      line({ content: "A" }, { logprobs: [{ ...A, top_logprobs: [A, { token: "B", logprob: -1 }] }] }),
      line({ content: "n" }, { logprobs: [{ token: "n", logprob: 0 }] }),
      line({ content: "", tool_calls: [toolCall("Oslo")] }),
      line({ content: "", tool_calls: [{ id: "call_own", ...toolCall("Rom") }] }),
      last(),
    );
    const gateway = await startGateway(fake);
    const { data } = await readEvents(
      await gateway.post("/v1/chat/completions", { ...hello, stream: true, logprobs: true }),
    );
    expect(data.pop()).toBe("[DONE]");
    const chunks = data.map((chunk) => JSON.parse(chunk) as { id: string; created: number });
    const { id = "", created = 0 } = chunks[0] ?? {};
    expect(id).toMatch(/^chatcmpl-/);
    expect(Math.abs(created - Date.now() / 1000)).toBeLessThan(60);
    const chunk = (delta: object, logprobs: object | null = null, finish: string | null = null) => ({
      id,
      object: "chat.completion.chunk",
      created,
      model: "m",
      system_fingerprint: "fp_ollama",
      choices: [{ index: 0, delta, logprobs, finish_reason: finish }],
    });
    const logprobsWith = (...content: object[]) => ({ content, refusal: null });
    const call = (index: number, callId: string, city: string) => ({
      tool_calls: [
        {
          index,
          id: callId === "" ? (expect.stringMatching(/^call_\w+$/) as string) : callId,
          type: "function",
          function: { name: "weather", arguments: JSON.stringify({ city }) },
        },
      ],
    });
    expect(chunks).toEqual([
      chunk({ role: "assistant", content: "", refusal: null }),
      chunk({ reasoning_content: "Hm.", reasoning: "Hm." }),
      chunk(
        { content: "A" },
        logprobsWith({ ...A, top_logprobs: [A, { token: "B", logprob: -1, bytes: null }] }),
      ),
      chunk({ content: "n" }, logprobsWith({ token: "n", logprob: 0, bytes: null, top_logprobs: [] })),
      chunk(call(0, "", "Oslo")),
      chunk(call(1, "call_own", "Rom")),
      chunk({}, null, "tool_calls"),
    ]);
  });

  test("sends each piece as soon as it arrives", async () => {
    const fake = await startFake();
    const { promise: seen, resolve: firstSeen } = Promise.withResolvers<undefined>();
    fake.respondWith(token("one"), { until: seen }, token("two"), last());
    const gateway = await startGateway(fake);
    let text = "";
    for await (const chunk of await gateway.openai.chat.completions.create({ ...hello, stream: true })) {
      text += chunk.choices[0]?.delta.content ?? "";
      if (text === "one") firstSeen(undefined);
    }
    expect(text).toBe("onetwo");
  });

  test("decodes characters split across network packets, and escapes them for JSON", async () => {
    const fake = await startFake();
    const text = 'né "q"\n\\ 日本 🎈\u2028';
    const bytes = Buffer.from(`${JSON.stringify({ message: { content: text }, done: false })}\n`);
    const pieces = [...bytes].flatMap((byte) => [{ raw: Buffer.of(byte) }, { waitMs: 0 }]);
    fake.respondWith(...pieces, last());
    const gateway = await startGateway(fake);
    let received = "";
    for await (const chunk of await gateway.openai.chat.completions.create({ ...hello, stream: true })) {
      received += chunk.choices[0]?.delta.content ?? "";
    }
    expect(received).toBe(text);
  });

  test("ignores fields that a newer Ollama may add", async () => {
    const fake = await startFake();
    const line = { message: { content: "x", mood: 1, tool_calls: null }, news: {}, error: null, done: false };
    fake.respondWith({ line }, last({ more: [], logprobs: null, error: "" }));
    const gateway = await startGateway(fake);
    const { data } = await readEvents(await gateway.post("/v1/chat/completions", { ...hello, stream: true }));
    expect(data.at(-1)).toBe("[DONE]");
  });
});

describe("tools", () => {
  const call = { function: { name: "weather", arguments: { city: "Oslo" } } };

  test("returns calls with an ID, arguments as text, and the finish reason tool_calls", async () => {
    const fake = await startFake();
    fake.respondWith(last({ message: { content: "", tool_calls: [call, call] } }));
    const gateway = await startGateway(fake);
    const completion = await gateway.openai.chat.completions.create(hello);
    const [choice] = completion.choices;
    expect(choice?.finish_reason).toBe("tool_calls");
    expect(choice?.message.content).toBeNull();
    expect(choice?.message.tool_calls).toEqual(
      [1, 2].map(() => ({
        id: expect.stringMatching(/^call_/) as string,
        type: "function",
        function: { name: "weather", arguments: '{"city":"Oslo"}' },
      })),
    );
    expect(new Set(choice?.message.tool_calls?.map(({ id }) => id)).size).toBe(2);
  });

  test("gives each streamed call its own index", async () => {
    const fake = await startFake();
    const line = { line: { message: { content: "", tool_calls: [call] }, done: false } };
    fake.respondWith(line, line, last());
    const gateway = await startGateway(fake);
    const stream = gateway.openai.chat.completions.stream(hello);
    const choice = (await stream.finalChatCompletion()).choices[0];
    expect(choice?.finish_reason).toBe("tool_calls");
    expect(choice?.message.tool_calls).toHaveLength(2);
  });
});
