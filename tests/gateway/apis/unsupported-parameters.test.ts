import { describe, expect, test } from "vitest";
import { last } from "../../../test-support/fakes/ollama/steps.ts";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

// The rules of "Unsupported parameters" in docs/gateway.md, for every API. generation/think-fallback tests rule 5.

const user = { role: "user", content: "Hi" };

interface Api {
  readonly route: string;
  /** The smallest request. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Known parameters that the gateway cannot honour, with a value. */
  readonly unsupported?: readonly (readonly [param: string, value: unknown])[];
  /** Parameters of the API that may be null. */
  readonly nullable: readonly string[];
  /** A conversation with a response as clients of any API of this kind send it back. */
  readonly history?: Readonly<Record<string, unknown>>;
  /** A function, a server-side tool, and the tool choice that requires the latter. */
  readonly tools?: readonly [functionTool: object, serverTool: object, toolChoice: unknown];
  /** Requests JSON that matches a schema. */
  readonly format?: (schema: object) => Readonly<Record<string, unknown>>;
  /** A request with invalid image data. */
  readonly badImage?: Readonly<Record<string, unknown>>;
}

const parameters = { type: "object", properties: {} };
const invalidImage = "data:image/png;base64,!!!";

const apis: readonly Api[] = [
  {
    route: "/v1/chat/completions",
    body: { model: "m", messages: [user] },
    unsupported: [
      ["n", 2],
      ["logit_bias", { 50256: -100 }],
      ["audio", { voice: "alloy", format: "mp3" }],
    ],
    nullable: [
      "tools",
      "stop",
      "response_format",
      "reasoning_effort",
      "metadata",
      "max_tokens",
      "seed",
      "stream",
    ],
    history: {
      messages: [
        user,
        {
          role: "assistant",
          content: [{ type: "text", text: "Hello.", annotations: [] }],
          id: "msg_1",
          name: null,
          refusal: null,
          annotations: [],
          audio: null,
          tool_calls: null,
          function_call: null,
          reasoning: "Hm.",
          reasoning_details: [{ type: "reasoning.text", text: "Hm." }],
          provider_specific_fields: { a: 1 },
        },
        user,
      ],
    },
    tools: [
      { type: "function", function: { name: "f", description: null, parameters, strict: null } },
      { type: "web_search", search_context_size: "low" },
      { type: "web_search" },
    ],
    format: (schema) => ({ response_format: { type: "json_schema", json_schema: { name: "x", schema } } }),
    badImage: {
      messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: invalidImage } }] }],
    },
  },
  {
    route: "/v1/responses",
    body: { model: "m", input: "Hi" },
    unsupported: [
      ["background", true],
      ["prompt", { id: "pmpt_1" }],
    ],
    nullable: [
      "tools",
      "text",
      "reasoning",
      "metadata",
      "instructions",
      "max_output_tokens",
      "include",
      "stream",
    ],
    history: {
      input: [
        user,
        { type: "reasoning", id: "rs_1", status: null, summary: [{ type: "summary_text", text: "Hm." }] },
        {
          type: "message",
          id: "msg_1",
          role: "assistant",
          status: "completed",
          phase: "final",
          content: [{ type: "output_text", text: "Hello.", annotations: [], logprobs: null }],
          provider_specific_fields: { a: 1 },
        },
        user,
      ],
    },
    tools: [
      { type: "function", name: "f", description: null, parameters, strict: null },
      { type: "web_search", search_context_size: "low" },
      { type: "web_search" },
    ],
    format: (schema) => ({ text: { format: { type: "json_schema", name: "x", schema } } }),
    badImage: { input: [{ role: "user", content: [{ type: "input_image", image_url: invalidImage }] }] },
  },
  {
    route: "/v1/messages",
    body: { model: "m", max_tokens: 9, messages: [user] },
    unsupported: [
      ["container", "c"],
      ["mcp_servers", [{ type: "url", url: "https://example.com", name: "x" }]],
    ],
    nullable: ["tools", "system", "stop_sequences", "thinking", "metadata", "tool_choice", "stream", "top_k"],
    history: {
      messages: [
        user,
        {
          role: "assistant",
          id: "msg_1",
          content: [
            { type: "thinking", thinking: "Hm.", signature: "of another server" },
            { type: "text", text: "Hello.", citations: null, provider_specific_fields: { a: 1 } },
          ],
        },
        user,
      ],
    },
    tools: [
      { name: "f", description: null, input_schema: parameters, cache_control: { type: "ephemeral" } },
      { type: "web_search_20250305", name: "web_search" },
      { type: "tool", name: "web_search" },
    ],
    format: (schema) => ({ output_config: { format: { type: "json_schema", schema } } }),
    badImage: {
      messages: [
        {
          role: "user",
          content: [{ type: "image", source: { type: "base64", media_type: "image/png", data: "!!!" } }],
        },
      ],
    },
  },
  {
    route: "/v1/completions",
    body: { model: "m", prompt: "Hi" },
    unsupported: [
      ["n", 2],
      ["best_of", 2],
      ["logit_bias", { 50256: -100 }],
    ],
    nullable: ["stop", "suffix", "max_tokens", "seed", "stream", "user"],
  },
  {
    route: "/v1/embeddings",
    body: { model: "m", input: "Hi" },
    nullable: ["dimensions", "encoding_format", "user"],
  },
  {
    route: "/v1/example-service",
    body: { messages: "Hi", stream: false },
    unsupported: [["n", 2]],
    nullable: ["model", "max_tokens", "temperature"],
  },
];

/** The APIs that define a field. */
function apisWith<Name extends keyof Api>(
  name: Name,
): (Api & { readonly [name in Name]-?: NonNullable<Api[name]> })[] {
  return apis.filter(
    (api): api is Api & { readonly [name in Name]-?: NonNullable<Api[name]> } => api[name] !== undefined,
  );
}

async function start(environment: Record<string, string> = {}) {
  const fake = await startFake();
  fake.capabilities = ["completion", "tools", "vision", "thinking"];
  return { fake, gateway: await startGateway(fake, environment) };
}

describe("1. rejects parameters that would change the response and cannot be honoured", () => {
  test.each(apisWith("unsupported"))("$route", async ({ route, body, unsupported }) => {
    const { fake, gateway } = await start();
    for (const [param, value] of unsupported) {
      const response = await gateway.post(route, { ...body, [param]: value });
      expect([param, response.status]).toEqual([param, 400]);
      expect(await response.text()).toContain(param);
    }
    expect(fake.received).toHaveLength(0);
  });
});

describe("2. ignores and lists unknown parameters, and rejects them with strict parameters", () => {
  test.each(apis)("$route", async ({ route, body }) => {
    const { gateway } = await start();
    const unknown = { ...body, x_telemetry: { a: 1 } };
    const response = await gateway.post(route, unknown);
    expect([response.status, response.headers.get("x-ignored-parameters")]).toEqual([200, "x_telemetry"]);
    await response.text();
    const strict = await start({ STRICT_PARAMETERS: "on" });
    expect((await strict.gateway.post(route, unknown)).status).toBe(400);
  });
});

describe("3. accepts responses that a client sends back, and passes on their thinking", () => {
  test.each(apisWith("history"))("$route", async ({ route, body, history }) => {
    const { fake, gateway } = await start();
    const response = await gateway.post(route, { ...body, ...history });
    expect(response.status, await response.text()).toBe(200);
    expect((await fake.conversation()).body.messages).toEqual([
      user,
      { role: "assistant", content: "Hello.", thinking: "Hm." },
      user,
    ]);
  });
});

describe("4. treats null as absent", () => {
  test.each(apis)("$route", async ({ route, body, nullable }) => {
    const { fake, gateway } = await start();
    for (const name of [undefined, ...nullable]) {
      const response = await gateway.post(route, name === undefined ? body : { ...body, [name]: null });
      const ignored = response.headers.get("x-ignored-parameters");
      expect([name, response.status, ignored]).toEqual([name, 200, null]);
      await response.text();
    }
    const [plain, ...others] = fake.received.map((received) => received.body);
    for (const other of others) expect(other).toEqual(plain);
  });
});

describe("6. ignores server-side tools, and rejects them if tool_choice requires one", () => {
  test.each(apisWith("tools"))(
    "$route",
    async ({ route, body, tools: [functionTool, serverTool, toolChoice] }) => {
      const { fake, gateway } = await start();
      const tools = [functionTool, serverTool];
      const response = await gateway.post(route, { ...body, tools });
      expect(response.status, await response.text()).toBe(200);
      expect(response.headers.get("x-ignored-parameters")).toContain("tools[1]");
      expect((await fake.conversation()).body.tools).toMatchObject([{ function: { name: "f" } }]);
      const rejected = await gateway.post(route, { ...body, tools, tool_choice: toolChoice });
      expect(rejected.status).toBe(400);
      expect(await rejected.text()).toContain("tool_choice");
    },
  );
});

describe("returns 400 for an invalid schema", () => {
  test.each(apisWith("format"))("$route", async ({ route, body, format }) => {
    const { fake, gateway } = await start();
    const schema = { type: "object", properties: { a: { $ref: "#/$defs/none" } } };
    expect((await gateway.post(route, { ...body, ...format(schema) })).status).toBe(400);
    expect(fake.received).toHaveLength(0);
  });
});

describe("returns 400 for invalid image data", () => {
  test.each(apisWith("badImage"))("$route", async ({ route, body, badImage }) => {
    const { fake, gateway } = await start();
    fake.respondWith({ status: 400, body: '{"error":"invalid image input"}' });
    expect((await gateway.post(route, { ...body, ...badImage })).status).toBe(400);
  });
});

test("an empty text in a batch is rejected by /v1/embeddings like by OpenAI, and passed on by /api/embed", async () => {
  const { fake, gateway } = await start();
  const body = { model: "m", input: ["a", ""] };
  const rejected = await gateway.post("/v1/embeddings", body);
  expect(rejected.status).toBe(400);
  expect(await rejected.json()).toMatchObject({ error: { param: "input[1]", code: "invalid_value" } });
  expect(fake.received).toHaveLength(0);
  const passedOn = await gateway.post("/api/embed", body);
  expect(passedOn.status, await passedOn.text()).toBe(200);
  expect(fake.received.map((received) => received.body)).toMatchObject([{ input: ["a", ""] }]);
});

test.each([
  ["/v1/chat/completions", "stop", { model: "m", messages: [user] }],
  ["/v1/completions", "stop", { model: "m", prompt: "Hi" }],
  ["/v1/messages", "stop_sequences", { model: "m", max_tokens: 9, messages: [user] }],
] as const)("%s ignores an empty stop sequence", async (route, name, body) => {
  const { fake, gateway } = await start();
  fake.respondWith(last({ message: { content: "All." } }));
  expect((await gateway.post(route, { ...body, [name]: [""] })).status).toBe(200);
  expect((await fake.conversation()).body.options).not.toHaveProperty("stop");
});
