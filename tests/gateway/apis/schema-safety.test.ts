import { describe, expect, test } from "vitest";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import { errorOf, hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

type Schema = Record<string, unknown>;

const object = (due: Schema): Schema => ({ type: "object", properties: { due } });
const fatal = object({ type: "string", pattern: "^(?:a|b)\\b$", maxLength: 3000 });
const safe = { type: "object", properties: { due: { type: "string", pattern: "^(a|b)$" } } };
const invalid = object({ type: "objekt" });

const messages = hello.messages;
const tool = (parameters: Schema) => ({ type: "function", function: { name: "f", parameters } });

/** Every way to send a schema: its name, the route, the body, and the path of the schema in it. */
const locations: readonly [string, string, (schema: Schema) => object, string][] = [
  [
    "response_format",
    "/v1/chat/completions",
    (schema) => ({ messages, response_format: { type: "json_schema", json_schema: { name: "n", schema } } }),
    "response_format.json_schema.schema",
  ],
  [
    "text.format",
    "/v1/responses",
    (schema) => ({ input: "Hi", text: { format: { type: "json_schema", name: "n", schema } } }),
    "text.format.schema",
  ],
  [
    "output_config.format",
    "/v1/messages",
    (schema) => ({ messages, max_tokens: 9, output_config: { format: { type: "json_schema", schema } } }),
    "output_config.format.schema",
  ],
  [
    "OPEA's response_format",
    "/v1/chatqna",
    (schema) => ({
      messages: "Hi",
      stream: false,
      response_format: { type: "json_schema", json_schema: { name: "n", schema } },
    }),
    "response_format.json_schema.schema",
  ],
  ["format of /api/chat", "/api/chat", (schema) => ({ messages, stream: false, format: schema }), "format"],
  [
    "format of /api/generate",
    "/api/generate",
    (schema) => ({ prompt: "Hi", stream: false, format: schema }),
    "format",
  ],
  [
    "a required tool of chat",
    "/v1/chat/completions",
    (schema) => ({
      messages,
      tools: [tool({}), { ...tool(schema), function: { name: "g", parameters: schema } }],
      tool_choice: "required",
    }),
    "tools[1].function.parameters",
  ],
  [
    "a named tool of chat",
    "/v1/chat/completions",
    (schema) => ({
      messages,
      tools: [{ ...tool({}), function: { name: "g" } }, tool(schema)],
      tool_choice: { type: "function", function: { name: "f" } },
    }),
    "tools[1].function.parameters",
  ],
  [
    "an allowed tool of chat",
    "/v1/chat/completions",
    (schema) => ({
      messages,
      tools: [{ ...tool({}), function: { name: "g" } }, tool(schema)],
      tool_choice: {
        type: "allowed_tools",
        allowed_tools: { mode: "required", tools: [{ type: "function", function: { name: "f" } }] },
      },
    }),
    "tools[1].function.parameters",
  ],
  [
    "a required tool of responses",
    "/v1/responses",
    (schema) => ({
      input: "Hi",
      tools: [{ type: "function", name: "f", parameters: schema }],
      tool_choice: "required",
    }),
    "tools[0].parameters",
  ],
  [
    "any tool of messages",
    "/v1/messages",
    (schema) => ({
      messages,
      max_tokens: 9,
      tools: [{ name: "f", input_schema: schema }],
      tool_choice: { type: "any" },
    }),
    "tools[0].input_schema",
  ],
  [
    "a named tool of messages",
    "/v1/messages",
    (schema) => ({
      messages,
      max_tokens: 9,
      tools: [{ name: "f", input_schema: schema }],
      tool_choice: { type: "tool", name: "f" },
    }),
    "tools[0].input_schema",
  ],
];

describe.each(locations)("a schema in %s", (_location, path, bodyWith, param) => {
  test("that would crash Ollama is made safe, and the response lists the ignored keywords", async () => {
    const fake = await startFake();
    fake.respondWith(token('{"name": "f", "arguments": {}}'), last());
    const gateway = await startGateway(fake);
    const response = await gateway.post(path, { model: "m", ...bodyWith(fatal) });
    expect(response.status).toBe(200);
    const { format } = (await fake.conversation()).body as { format: unknown };
    expect(JSON.stringify(format)).toContain(JSON.stringify(safe));
    const prefix = param.startsWith("tools") ? `${param}.` : "";
    expect(response.headers.get("x-ignored-schema-keywords")).toBe(
      `${prefix}properties.due.pattern, ${prefix}properties.due.maxLength`,
    );
  });

  test("that is invalid is rejected with 400 and its path", async () => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    const response = await gateway.post(path, { model: "m", ...bodyWith(invalid) });
    expect(response.status).toBe(400);
    const text = await response.text();
    expect(text).toContain(`${param}.properties.due`);
    expect(text).toContain("objekt");
    expect(fake.received).toHaveLength(0);
  });
});

test("a stream lists the ignored keywords in its headers", async () => {
  const fake = await startFake();
  fake.respondWith(token("{}"), last());
  const gateway = await startGateway(fake);
  const format = { type: "json_schema", json_schema: { name: "n", schema: fatal } };
  const response = await gateway.post("/v1/chat/completions", {
    ...hello,
    stream: true,
    response_format: format,
  });
  expect(response.headers.get("x-ignored-schema-keywords")).toContain("properties.due.pattern");
  await response.text();
});

test("the header is short and ASCII, whatever the names of properties", async () => {
  const fake = await startFake();
  fake.respondWith(last());
  const gateway = await startGateway(fake);
  const names = Array.from({ length: 200 }, (_, index) => `größe,\r\n ${index}`);
  const schema = object({ type: "string" });
  schema["properties"] = Object.fromEntries(
    names.map((name) => [name, { type: "string", pattern: "(?i)x" }]),
  );
  const response = await gateway.post("/api/chat", { model: "m", messages, stream: false, format: schema });
  const header = response.headers.get("x-ignored-schema-keywords") ?? "";
  expect(header.length).toBeLessThanOrEqual(1000);
  expect(header).toMatch(/^properties\.gr%C3%B6%C3%9Fe%2C%0D%0A%200\.pattern, .*, \.\.\.$/);
});

test.each(['{"type":"object"}', "xml", [], 5, true])(
  "rejects format %j of Ollama's own API, which is neither json nor a schema",
  async (format) => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    const response = await gateway.post("/api/generate", { model: "m", prompt: "Hi", format });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("'format'");
    expect(fake.received).toHaveLength(0);
  },
);

test.each([["json"], [""], [null], [undefined]])(
  "passes on format %j of Ollama's own API unchanged",
  async (format) => {
    const fake = await startFake();
    fake.respondWith(last());
    const gateway = await startGateway(fake);
    const response = await gateway.post("/api/chat", { model: "m", messages, stream: false, format });
    expect(response.status).toBe(200);
    expect(((await fake.conversation()).body as { format?: unknown }).format).toBe(format);
  },
);

test("passes on tools unchanged if the model may choose among them", async () => {
  const fake = await startFake();
  fake.respondWith(last());
  const gateway = await startGateway(fake);
  const tools = [tool(fatal)];
  const response = await gateway.post("/v1/chat/completions", { ...hello, tools });
  expect(response.status).toBe(200);
  expect((await fake.conversation()).body).toMatchObject({ tools });
});

test("the error for an invalid schema has its path in the field param", async () => {
  const gateway = await startGateway(await startFake());
  const format = { type: "json_schema", json_schema: { name: "n", schema: invalid } };
  const response = await gateway.post("/v1/chat/completions", { ...hello, response_format: format });
  expect(await errorOf(response)).toMatchObject({
    param: "response_format.json_schema.schema.properties.due",
    code: "invalid_value",
  });
});
