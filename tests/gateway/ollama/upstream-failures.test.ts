import { APIError } from "openai";
import { describe, expect, test } from "vitest";
import { FakeOllama } from "../../../test-support/fakes/ollama/fake-ollama.ts";
import { type Step, last, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  errorOf,
  hello,
  readEvents,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";

const streamed = { ...hello, stream: true };

describe.each([
  ["buffered", hello],
  ["streaming", streamed],
])("before the response starts, %s", (_mode, body) => {
  const failures: [string, Step[], number, string][] = [
    [
      "a status of 500 for an option of another type",
      [{ status: 500, body: '{"error":"option \\"stop\\" must be of type array"}' }],
      400,
      "invalid_request",
    ],
    [
      "a status of 500 for a template",
      [{ status: 500, body: '{"error":"template: :1: unclosed action"}' }],
      400,
      "invalid_request",
    ],
    [
      "a status of 500 for an empty text",
      [{ status: 500, body: '{"error":"Failed to create new sequence: no input provided"}' }],
      400,
      "invalid_request",
    ],
    ["a status of 500", [{ status: 500, body: '{"error":"out of memory"}' }], 502, "upstream_failed"],
    ["a status of 500 without a reason", [{ status: 500, body: "<html>" }], 502, "upstream_failed"],
    ["a full queue", [{ status: 503, body: '{"error":"server busy"}' }], 503, "upstream_overloaded"],
    ["an unknown model", [{ status: 404, body: `{"error":"model 'm' not found"}` }], 404, "model_not_found"],
    ["any other rejection", [{ status: 400, body: '{"error":"no such thing"}' }], 400, "invalid_request"],
    ["a line that is not JSON", [{ raw: "oops\n" }], 502, "upstream_failed"],
    ["a line that is not an object", [{ raw: "3\n" }], 502, "upstream_failed"],
    ["an error line", [{ line: { error: "runner died" } }], 502, "upstream_failed"],
    ["a broken connection", ["cut"], 502, "upstream_failed"],
    ["an empty response", [{ raw: "" }], 502, "upstream_incomplete"],
  ];

  test.each(failures)("$0 becomes $2", async (_name, script, status, code) => {
    const fake = await startFake();
    fake.respondWith(...script);
    const gateway = await startGateway(fake);
    const response = await gateway.post("/v1/chat/completions", body);
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toMatch(/^application\/json/);
    expect((await errorOf(response)).code).toBe(code);
    expect(response.headers.has("retry-after")).toBe(status === 503);
  });

  test("a refused connection becomes 503 with Retry-After", async () => {
    const fake = await startFake();
    await fake.stop();
    const gateway = await startGateway(fake);
    const response = await gateway.post("/v1/chat/completions", body);
    expect(response.status).toBe(503);
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await errorOf(response)).toMatchObject({ code: "upstream_unreachable", type: "server_error" });
  });

  test("a host name that does not resolve becomes 503", async () => {
    const gateway = await startGateway({ port: 1 }, { LLM_SERVICE_HOST_IP: "nowhere.invalid" });
    const response = await gateway.post("/v1/chat/completions", body);
    expect(response.status).toBe(503);
    expect((await errorOf(response)).code).toBe("upstream_unreachable");
  });

  test("a timeout becomes 504, and the request to Ollama is cancelled", async () => {
    const fake = await startFake();
    fake.respondWith("hang");
    const gateway = await startGateway(fake, { FIRST_TOKEN_TIMEOUT_MS: "100", ANSWER_TIMEOUT_MS: "100" });
    const response = await gateway.post("/v1/chat/completions", body);
    expect(response.status).toBe(504);
    expect((await errorOf(response)).code).toBe(body === hello ? "answer_timeout" : "first_token_timeout");
    expect(await (await fake.conversation()).brokenOff).toBe(true);
  });

  test("a conversation too long for the context becomes 400 context_length_exceeded", async () => {
    const fake = await startFake();
    fake.respondWith({ status: 400, body: '{"error":"the input length exceeds the context length"}' });
    const gateway = await startGateway(fake);
    const response = await gateway.post("/v1/chat/completions", body);
    expect(response.status).toBe(400);
    const { message, ...error } = await errorOf(response);
    expect(error).toMatchObject({ code: "context_length_exceeded", param: "messages" });
    expect(message).toContain("maximum context length is 4096 tokens");
    expect(message).toContain("at least 4097 tokens");
    expect((await fake.conversation()).body.truncate).toBe(false);
  });

  test("a model without support for tools becomes 400 and names tools", async () => {
    const fake = await startFake();
    fake.respondWith({ status: 400, body: '{"error":"m does not support tools"}' });
    const gateway = await startGateway(fake);
    const response = await gateway.post("/v1/chat/completions", body);
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toMatchObject({ code: "unsupported_parameter", param: "tools" });
  });
});

test.each([
  ["/v1/completions", { model: "m", prompt: "Hi" }, "prompt"],
  ["/v1/responses", { model: "m", input: "Hi" }, "input"],
  ["/v1/embeddings", { model: "m", input: "Hi" }, "input"],
  ["/v1/embeddings", { model: "m", input: ["Hi", "there"], num_ctx: 8 }, "input"],
])(
  "%s: an input too long for the context is reported under the client's parameter name, with both lengths",
  async (path, body, param) => {
    const fake = await startFake();
    // Ollama has no model loaded, and then loads it with the requested context.
    if ("num_ctx" in body) fake.loaded = [];
    fake.respondWith({ status: 400, body: '{"error":"the input length exceeds the context length"}' });
    const gateway = await startGateway(fake);
    const response = await gateway.post(path, body);
    expect(response.status).toBe(400);
    const context = "num_ctx" in body ? 8 : 4096;
    expect(await errorOf(response)).toEqual({
      code: "context_length_exceeded",
      type: "invalid_request_error",
      param,
      message: expect.stringMatching(
        new RegExp(
          `maximum context length is ${context} tokens.* your ${param} resulted in at least ${context + 1} tokens`,
        ),
      ) as string,
    });
    expect((await fake.conversation()).body.truncate).toBe(false);
  },
);

describe.each([
  ["/v1/chat/completions", { ...hello, reasoning_effort: "high" }, "reasoning_effort", "messages"],
  ["/v1/chatqna", { ...hello, reasoning_effort: "high", stream: false }, "reasoning_effort", "messages"],
  ["/v1/responses", { model: "m", input: "Hi", reasoning: { effort: "high" } }, "reasoning.effort", "input"],
  ["/v1/messages", { ...hello, max_tokens: 9, thinking: { type: "adaptive" } }, "thinking", "messages"],
])(
  "%s: an unsupported feature is reported under the client's parameter name",
  (path, body, thinking, subject) => {
    test.each([
      ['"m" does not support thinking', thinking],
      ['think value "high" is not supported for this model', thinking],
      ["this model is missing data required for image input", subject],
    ])("%s", async (reason, param) => {
      const fake = await startFake();
      fake.respondWith({ status: 400, body: JSON.stringify({ error: reason }) });
      const gateway = await startGateway(fake);
      const response = await gateway.post(path, body);
      expect(response.status).toBe(400);
      const { message, ...error } = await errorOf(response);
      expect(message).toContain(`Ollama: ${reason}`);
      expect(message).toContain(`'${param}'`);
      // Anthropic's error format has no field for the parameter.
      if (path !== "/v1/messages") expect(error).toMatchObject({ code: "unsupported_parameter", param });
    });
  },
);

test("an unreadable image is reported as the parameter that has it", async () => {
  const fake = await startFake();
  fake.capabilities = ["completion", "vision"];
  const reason = "Failed to create new sequence: failed to process inputs: unable to decode image";
  fake.respondWith({ status: 500, body: JSON.stringify({ error: reason }) });
  const gateway = await startGateway(fake);
  const image = { type: "image_url", image_url: { url: "data:image/png;base64,aGVsbG8=" } };
  const response = await gateway.post("/v1/chat/completions", {
    model: "m",
    messages: [{ role: "user", content: [image] }],
  });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({
    error: {
      message: `Invalid value for 'messages': Ollama: ${reason}`,
      param: "messages",
      code: "invalid_value",
    },
  });
});

test("/api/generate: images that Ollama rejects are reported as images", async () => {
  const fake = await startFake();
  const reason = "this model is missing data required for image input";
  fake.respondWith({ status: 400, body: JSON.stringify({ error: reason }) });
  const gateway = await startGateway(fake);
  const response = await gateway.post("/api/generate", { model: "m", prompt: "Hi" });
  expect(response.status).toBe(400);
  expect(await response.json()).toEqual({ error: `Unsupported value for 'images': Ollama: ${reason}` });
});

test("the input of an embedding is truncated only on request", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  expect((await gateway.post("/v1/embeddings", { model: "m", input: "Hi", truncate: true })).status).toBe(
    200,
  );
  expect((await fake.conversation()).body.truncate).toBe(true);
});

describe("in the middle of a stream", () => {
  const failures: [string, Step[], string][] = [
    ["an error line", [{ line: { error: "runner died" } }], "upstream_failed"],
    ["a line that is not JSON", [{ raw: "oops\n" }], "upstream_failed"],
    ["a broken connection", ["cut"], "upstream_incomplete"],
    ["a clean end without the last line", [], "upstream_incomplete"],
    ["a clean end within a line", [{ raw: '{"message":{"content":"x"}' }], "upstream_failed"],
    ["a line that never ends", [{ raw: "x".repeat(33 * 1024 * 1024) }], "upstream_failed"],
    ["a stalled stream", ["hang"], "idle_timeout"],
  ];

  test.each(failures)("%s becomes an error event and a broken connection", async (_name, script, code) => {
    const fake = await startFake();
    fake.respondWith(token("Hel"), { waitMs: 20 }, token("lo"), { waitMs: 20 }, ...script);
    const gateway = await startGateway(fake, { IDLE_TIMEOUT_MS: "300" });
    const response = await gateway.post("/v1/chat/completions", streamed);
    expect(response.status).toBe(200);
    const { data, brokenOff } = await readEvents(response);
    expect(data.join()).toContain('"Hel"');
    expect(data).not.toContain("[DONE]");
    expect(data.filter((event) => event.includes('"finish_reason":"'))).toEqual([]);
    expect(JSON.parse(data.at(-1) ?? "")).toMatchObject({ error: { code, type: "server_error" } });
    expect(brokenOff).toBe(true);
    expect(await gateway.requestLine("/v1/chat/completions")).toMatchObject({ status: 200, error: code });
  });

  test("the openai client throws, and has received the earlier pieces", async () => {
    const fake = await startFake();
    fake.respondWith(token("Hel"), { waitMs: 20 }, { line: { error: "runner died" } });
    const gateway = await startGateway(fake);
    let text = "";
    const reading = (async () => {
      for await (const chunk of await gateway.openai.chat.completions.create({ ...hello, stream: true })) {
        text += chunk.choices[0]?.delta.content ?? "";
      }
    })();
    const error = await reading.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ code: "upstream_failed" });
    expect(String(error)).toContain("runner died");
    expect(text).toBe("Hel");
  });

  test("pieces that arrive together with the failure are not lost", async () => {
    const fake = await startFake();
    const line = (value: object): string => `${JSON.stringify(value)}\n`;
    const piece = line({ message: { content: "lo" }, done: false }) + line({ error: "runner died" });
    fake.respondWith(token("Hel"), { waitMs: 20 }, { raw: piece });
    const gateway = await startGateway(fake);
    const { data } = await readEvents(await gateway.post("/v1/chat/completions", streamed));
    expect(data.map((event) => /"content":"(\w+)"/.exec(event)?.[1] ?? "").join("")).toBe("Hello");
  });
});

test("a request succeeds after Ollama has restarted", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  expect((await gateway.post("/v1/chat/completions", hello)).status).toBe(200);
  await fake.stop();
  expect((await gateway.post("/v1/chat/completions", hello)).status).toBe(503);
  const restarted = await FakeOllama.start(fake.port);
  try {
    expect((await gateway.post("/v1/chat/completions", hello)).status).toBe(200);
  } finally {
    await restarted.stop();
  }
});

test("a complete response ends cleanly, whatever Ollama sends after it", async () => {
  const fake = await startFake();
  fake.respondWith(token("Hello"), last(), { raw: "oops\n" }, "cut");
  const gateway = await startGateway(fake);
  const { data, brokenOff } = await readEvents(await gateway.post("/v1/chat/completions", streamed));
  expect(data.at(-1)).toBe("[DONE]");
  expect(brokenOff).toBe(false);
});

test("a buffered response of endless events becomes 502", async () => {
  const fake = await startFake();
  fake.respondWith("flood");
  const gateway = await startGateway(fake);
  const response = await gateway.post("/v1/chat/completions", hello);
  expect(response.status).toBe(502);
  expect(await errorOf(response)).toMatchObject({
    code: "upstream_failed",
    message: "Ollama sent a response that is too long.",
  });
  expect(await (await fake.conversation()).brokenOff).toBe(true);
});
