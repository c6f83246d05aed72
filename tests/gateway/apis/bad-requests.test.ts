import { expect, test } from "vitest";
import { errorOf, hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const part = (content: object): object => ({ messages: [{ role: "user", content: [content] }] });
const image = (url: string): object => part({ type: "image_url", image_url: { url } });
const allowing = (mode: string, tools: object[]): object => ({
  tool_choice: { type: "allowed_tools", allowed_tools: { mode, tools } },
});

test.each([
  [{ model: undefined }, "model", "missing_required_parameter"],
  [{ model: "" }, "model", "invalid_value"],
  [{ model: 1 }, "model", "invalid_type"],
  [{ messages: undefined }, "messages", "missing_required_parameter"],
  [{ messages: [] }, "messages", "invalid_value"],
  [{ messages: "Hi" }, "messages", "invalid_type"],
  [{ messages: [{ role: "usr", content: "Hi" }] }, "messages[0].role", "invalid_value"],
  [{ messages: [{ role: "user" }] }, "messages[0].content", "missing_required_parameter"],
  [
    { messages: [{ role: "user", content: [{ type: "text", text: 3 }] }] },
    "messages[0].content[0].text",
    "invalid_type",
  ],
  [image("https://example.com/cat.png"), "messages[0].content[0].image_url.url", "invalid_value"],
  [{ temperature: "hot" }, "temperature", "invalid_type"],
  [{ temperature: 2.1 }, "temperature", "invalid_value"],
  [{ max_tokens: -3 }, "max_tokens", "invalid_value"],
  [{ stop: Array.from({ length: 65 }, String) }, "stop", "invalid_value"],
  [{ stream: "yes" }, "stream", "invalid_type"],
  [{ n: 2 }, "n", "unsupported_parameter"],
  [{ logit_bias: { "5": 1 } }, "logit_bias", "unsupported_parameter"],
  [{ modalities: ["text", "audio"] }, "modalities", "unsupported_parameter"],
  [{ audio: { voice: "x" } }, "audio", "unsupported_parameter"],
  [{ functions: [{ name: "f" }] }, "functions", "unsupported_parameter"],
  [{ moderation: { model: "omni-moderation-latest" } }, "moderation", "unsupported_parameter"],
  [part({ type: "input_audio", input_audio: {} }), "messages[0].content[0].type", "unsupported_parameter"],
  [part({ type: "file", file: {} }), "messages[0].content[0].type", "unsupported_parameter"],
  [part({ type: "files" }), "messages[0].content[0].type", "invalid_value"],
  [part({ text: "Hi" }), "messages[0].content[0].type", "missing_required_parameter"],
  [{ messages: [{ content: "Hi" }] }, "messages[0].role", "missing_required_parameter"],
  [{ tools: [{ function: { name: "" } }] }, "tools[0].function.name", "invalid_value"],
  [{ tool_choice: { type: "custom", custom: {} } }, "tool_choice.type", "unsupported_parameter"],
  [{ tool_choice: { type: "function" } }, "tool_choice.function", "missing_required_parameter"],
  [allowing("required", []), "tool_choice", "invalid_value"],
  [allowing("auto", [{ type: "function", function: { name: "f" } }]), "tool_choice", "invalid_value"],
  [
    allowing("auto", [{ type: "custom", custom: {} }]),
    "tool_choice.allowed_tools.tools[0].type",
    "unsupported_parameter",
  ],
  [{ tool_choice: "required" }, "tool_choice", "invalid_value"],
  [{ tool_choice: { type: "function", function: { name: "f" } } }, "tool_choice", "invalid_value"],
  [{ tool_choice: "sometimes" }, "tool_choice", "invalid_value"],
  [{ options: { top_k: {} } }, "options.top_k", "invalid_type"],
  [{ num_ctx: 0 }, "num_ctx", "invalid_value"],
  [{ top_logprobs: 3 }, "top_logprobs", "invalid_value"],
  [{ logprobs: false, top_logprobs: 3 }, "top_logprobs", "invalid_value"],
])("rejects %j and names %s", async (overrides, param, code) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const response = await gateway.post("/v1/chat/completions", { ...hello, ...overrides });
  expect(response.status).toBe(400);
  const error = await errorOf(response);
  expect(error).toMatchObject({ type: "invalid_request_error", param, code });
  expect(error.message).toContain(`'${param}'`);
  expect(fake.received).toHaveLength(0);
});

test.each([
  [{ messages: [{ role: "user", content: "Hi", mood: 1 }] }, "messages[0].mood", "unknown_parameter"],
  [{ stream_options: { usage: true } }, "stream_options.usage", "unknown_parameter"],
  [{ colour: "red" }, "colour", "unknown_parameter"],
  [{ verbosity: "high" }, "verbosity", "unsupported_parameter"],
  [{ web_search_options: {} }, "web_search_options", "unsupported_parameter"],
  [{ tools: [{ type: "custom", custom: { name: "f" } }] }, "tools[0]", "unsupported_parameter"],
])("rejects %j with strict parameters and names %s", async (overrides, param, code) => {
  const fake = await startFake();
  const gateway = await startGateway(fake, { STRICT_PARAMETERS: "on" });
  const response = await gateway.post("/v1/chat/completions", { ...hello, ...overrides });
  expect(response.status).toBe(400);
  expect(await errorOf(response)).toMatchObject({ type: "invalid_request_error", param, code });
  expect(fake.received).toHaveLength(0);
});

test("lists the supported types when it rejects an unknown one", async () => {
  const gateway = await startGateway(await startFake());
  const body = { ...hello, ...part({ type: "files" }) };
  const { message } = await errorOf(await gateway.post("/v1/chat/completions", body));
  expect(message).toMatch(
    /^Invalid value for 'messages\[0\]\.content\[0\]\.type': expected one of "text"\|"image_url"/,
  );
});

test.each(["[", "", "{'a': 1}", '{"model": "m"'])("rejects the body %j as invalid JSON", async (body) => {
  const gateway = await startGateway(await startFake());
  const response = await gateway.post("/v1/chat/completions", body);
  expect(response.status).toBe(400);
  expect(await errorOf(response)).toMatchObject({ code: "invalid_json", param: null });
});

test.each(["3", "null", "[]", '"text"'])(
  "rejects the body %s, which is JSON but not an object",
  async (body) => {
    const gateway = await startGateway(await startFake());
    const response = await gateway.post("/v1/chat/completions", body);
    expect(response.status).toBe(400);
    expect((await errorOf(response)).type).toBe("invalid_request_error");
  },
);

test.each([
  "text/plain",
  "text/plain;charset=UTF-8",
  "application/x-www-form-urlencoded",
  "application/json; charset=utf-8",
  "APPLICATION/JSON",
  "application/vnd.api+json",
  "application/octet-stream",
  "json",
  "",
  undefined,
])("parses a body of content type %j as JSON, as Ollama does", async (type) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const headers: Record<string, string> = type === undefined ? {} : { "content-type": type };
  const body = new TextEncoder().encode(JSON.stringify({ ...hello, max_tokens: 4, stream: false }));
  for (const path of ["/v1/chat/completions", "/v1/messages", "/api/chat"]) {
    const response = await fetch(gateway.url + path, { method: "POST", headers, body });
    expect([path, response.status]).toEqual([path, 200]);
  }
  expect((await fake.conversation()).body.messages).toEqual(hello.messages);
});

test("rejects a body over the limit with 413", async () => {
  const gateway = await startGateway(await startFake(), { BODY_LIMIT_BYTES: "2000" });
  const response = await gateway.post("/v1/chat/completions", { ...hello, user: "x".repeat(2000) });
  expect(response.status).toBe(413);
  expect((await errorOf(response)).code).toBe("body_too_large");
});

test("accepts a body with a 3 MB image", async () => {
  const fake = await startFake();
  fake.capabilities = ["vision"];
  const gateway = await startGateway(fake);
  const body = { ...hello, ...image(`data:image/png;base64,${"A".repeat(3_000_000)}`) };
  expect((await gateway.post("/v1/chat/completions", body)).status).toBe(200);
});

test("returns 404 for an unknown route", async () => {
  const gateway = await startGateway(await startFake());
  const response = await gateway.post("/v1/chat/completion", hello);
  expect(response.status).toBe(404);
  expect((await errorOf(response)).code).toBe("route_not_found");
});

test("returns 405 with the Allow header for an unsupported method", async () => {
  const gateway = await startGateway(await startFake());
  const response = await fetch(`${gateway.url}/v1/chat/completions`);
  expect(response.status).toBe(405);
  expect(response.headers.get("allow")).toBe("POST");
  expect((await errorOf(response)).code).toBe("method_not_allowed");
});

test.each([
  ["PUT", "/v1/responses/resp_1", "GET, HEAD, DELETE"],
  ["POST", "/v1/responses/resp_1/input_items", "GET, HEAD"],
  ["PUT", "/v1/models/a/b", "GET, HEAD"],
  ["GET", "/api/blobs/sha256:1", "HEAD, POST"],
])("returns 405 for %s %s, whose route has parameters", async (method, path, allow) => {
  const gateway = await startGateway(await startFake());
  const response = await fetch(gateway.url + path, { method });
  expect(response.status).toBe(405);
  expect(response.headers.get("allow")?.split(", ").sort()).toEqual(allow.split(", ").sort());
});

test.each(["/v1/responses/resp_1/other", "/v1/chat", "/v1/responses/resp_1/input_items/1"])(
  "returns 404 for %s, which only begins like a route",
  async (path) => {
    const gateway = await startGateway(await startFake());
    expect((await fetch(gateway.url + path, { method: "PUT" })).status).toBe(404);
  },
);

test("returns 400 in OpenAI format for a path that cannot be decoded", async () => {
  const gateway = await startGateway(await startFake());
  const response = await fetch(`${gateway.url}/%zz`);
  expect(response.status).toBe(400);
  expect((await errorOf(response)).type).toBe("invalid_request_error");
});
