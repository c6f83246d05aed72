import { fastify } from "fastify";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { ROUTE_GROUPS } from "../../../gateway/src/auth/route-groups.ts";
import { openApiRoute } from "../../../gateway/src/routes/ops/openapi.ts";
import { hello, ready, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

interface Operation {
  summary: string;
  security?: object[];
  requestBody?: { content: { "application/json": { schema: object } } };
  responses: Record<string, { content: Record<string, { schema: object }> }>;
}

interface OpenApiDocument {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
}

async function start() {
  const gateway = await startGateway(await startFake());
  const document = (await (await fetch(`${gateway.url}/openapi.json`)).json()) as OpenApiDocument;
  return { gateway, document };
}

function upperCase(methods: object): string[] {
  return Object.keys(methods).map((method) => method.toUpperCase());
}

/** Converts a schema of the document to zod. */
function toZod(schema: object | undefined): z.ZodType {
  return z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
}

test("every described route exists", async () => {
  const { gateway, document } = await start();
  expect(document.openapi).toBe("3.1.0");
  for (const [path, methods] of Object.entries(document.paths)) {
    const allowed = (await fetch(gateway.url + path.replace(/\{\w+\}/, "m"), { method: "PUT" })).headers.get(
      "allow",
    );
    // The gateway does not report the methods of a pattern.
    if (!path.includes("{")) expect(allowed?.split(", ")).toEqual(expect.arrayContaining(upperCase(methods)));
  }
});

test("every route that requires a key is in exactly one route group, and no other route is", async () => {
  const { document } = await start();
  const keyed = Object.entries(document.paths)
    .filter(([, methods]) => Object.values(methods).some(({ security }) => security === undefined))
    .map(([path]) => path);
  const grouped = Object.values(ROUTE_GROUPS)
    .flat()
    .map((route) => route.replace(/:(\w+)/, "{$1}").replace("*", "{model}"));
  expect(grouped.toSorted()).toEqual(keyed.toSorted());
});

test("a route without a description cannot be registered", async () => {
  const app = fastify();
  openApiRoute(app);
  expect(() => app.get("/secret", () => "")).toThrow("GET /secret has no description");
  await app.close();
});

test.each([
  ["/v1/chat/completions", hello],
  ["/v1/completions", { model: "m", prompt: "Say" }],
  ["/v1/completions", { model: "m", prompt: ["Say", "it"] }],
  ["/v1/responses", { model: "m", input: "Hi" }],
  ["/v1/messages", { ...hello, max_tokens: 5 }],
  ["/v1/embeddings", { model: "m", input: "Hi" }],
  ["/v1/example-service", { messages: "Hi", stream: false }],
  ["/v1/chatqna", { messages: "Hi", stream: false }],
  ["/api/chat", { ...hello, stream: false }],
  ["/api/generate", { model: "m", prompt: "Say", stream: false }],
  ["/api/embed", { model: "m", input: "Hi" }],
  ["/api/show", { model: "m" }],
])("POST %s accepts and returns what the document describes, including errors", async (path, body) => {
  const { gateway, document } = await start();
  const described = document.paths[path]?.["post"];
  if (described === undefined) throw new Error("the route has no description");
  const { requestBody, responses } = described;
  const input = toZod(requestBody?.content["application/json"].schema);
  expect(input.safeParse(body).success).toBe(true);
  expect(input.safeParse({ ...body, model: 3 }).success).toBe(false);
  const response = await gateway.post(path, body);
  expect(response.status).toBe(200);
  const output = toZod(responses["200"]?.content["application/json"]?.schema);
  expect(output.safeParse(await response.json()).error).toBeUndefined();
  const rejected = await gateway.post(path, { ...body, model: 3 });
  expect(rejected.status).toBe(400);
  const errorBody = toZod(responses["4XX"]?.content["application/json"]?.schema);
  expect(errorBody.safeParse(await rejected.json()).error).toBeUndefined();
});

test.each(["/v1/models", "/v1/statistics", "/v1/health_check", "/health", "/ready", "/api/tags", "/api/ps"])(
  "GET %s returns what the document describes",
  async (path) => {
    const { gateway, document } = await start();
    await ready(gateway);
    const response = await fetch(gateway.url + path);
    expect(response.status).toBe(200);
    const schema = document.paths[path]?.["get"]?.responses["200"]?.content["application/json"]?.schema;
    expect(toZod(schema).safeParse(await response.json()).error).toBeUndefined();
  },
);

test("the description of an unsupported parameter gives the reason", async () => {
  const { document } = await start();
  const { schema } = document.paths["/v1/chat/completions"]?.["post"]?.requestBody?.content[
    "application/json"
  ] as {
    schema: { properties: Record<string, { description?: string }>; additionalProperties: boolean };
  };
  expect(schema.properties["n"]?.description).toBe("Not supported: only one choice is supported.");
  expect(schema.additionalProperties).toBe(false);
});

describe("extensions of the APIs are described", () => {
  test.each([
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1/embeddings",
    "/v1/example-service",
    "/v1/chatqna",
  ])("POST %s", async (path) => {
    const { document } = await start();
    const { properties } = document.paths[path]?.["post"]?.requestBody?.content["application/json"]
      .schema as { properties: Record<string, { description?: string }> };
    expect(properties["keep_alive"]?.description).toMatch(/seconds.*Default: .*OLLAMA_KEEP_ALIVE/);
    expect(properties["num_ctx"]?.description).toMatch(/tokens.*Default: .*OLLAMA_CONTEXT_LENGTH/);
    expect(properties["options"]?.description).toMatch(/top_k.*Default: the model's own/);
    expect(properties["truncate"]?.description).toMatch(/Default: false.*context_length_exceeded/);
  });

  test("a model's thinking in requests and responses", async () => {
    const { document } = await start();
    const { requestBody, responses } = document.paths["/v1/chat/completions"]?.["post"] ?? {};
    for (const { content } of [requestBody, responses?.["200"]].filter((each) => each !== undefined)) {
      const described = JSON.stringify(content["application/json"].schema);
      expect(described).toMatch(/"reasoning_content":\{[^}]*"description":"Extension: the model's thinking/);
    }
  });
});

test("the admin API is included, with the parameters of its lists", async () => {
  const { document } = await start();
  const admin = Object.keys(document.paths).filter((path) => path.startsWith("/admin/"));
  expect(admin.toSorted()).toEqual([
    "/admin/events",
    "/admin/health",
    "/admin/history",
    "/admin/overview",
    "/admin/requests",
    "/admin/requests/{id}/cancel",
    "/admin/session",
    "/admin/usage",
  ]);
  expect(document.paths["/admin/requests"]?.["get"]).toMatchObject({
    parameters: ["key", "model", "status", "limit"].map((name) => ({ name, in: "query", required: false })),
  });
});
