import OpenAI, { BadRequestError, NotFoundError } from "openai";
import { expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import { errorOf, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";
import { checkedResponse } from "../../../test-support/apis/openresponses.ts";

async function start(environment: Record<string, string> = {}) {
  const fake = await startFake();
  const gateway = await startGateway(fake, environment);
  return { fake, gateway, responses: gateway.openai.responses };
}

const baseRequest = { model: "m", input: "Hi" };

test("stores a response unless store is false", async () => {
  const { gateway, responses } = await start();
  const stored = await responses.create({ ...baseRequest, metadata: { a: "b" } });
  const retrieved = await (await fetch(`${gateway.url}/v1/responses/${stored.id}`)).json();
  expect(checkedResponse(retrieved)).toMatchObject({ id: stored.id, output: stored.output, store: true });
  const again = responses.retrieve(stored.id, { stream: true });
  await expect(again).rejects.toMatchObject({ code: "unsupported_parameter", param: "stream" });
  const other = await responses.create({ ...baseRequest, store: false });
  expect(other).toMatchObject({ store: false });
  await expect(responses.retrieve(other.id)).rejects.toThrow(NotFoundError);
});

test("stores a streamed response when it ends", async () => {
  const { responses } = await start();
  const streamed = await responses.stream(baseRequest).finalResponse();
  expect(await responses.retrieve(streamed.id)).toMatchObject({
    output_text: "Hello there.",
    status: "completed",
  });
});

test("does not store a failed response", async () => {
  const { fake, responses } = await start();
  fake.respondWith(token("Hel"), { waitMs: 20 }, { line: { error: "runner died" } });
  let id = "";
  const reading = (async () => {
    for await (const event of await responses.create({ ...baseRequest, stream: true }))
      if (event.type === "response.created") ({ id } = event.response);
  })();
  await expect(reading).rejects.toThrow("runner died");
  await expect(responses.retrieve(id)).rejects.toThrow(NotFoundError);
});

test("deletes a response, and returns 404 the second time", async () => {
  const { gateway, responses } = await start();
  const { id } = await responses.create(baseRequest);
  const url = `${gateway.url}/v1/responses/${id}`;
  const deleted = await fetch(url, { method: "DELETE" });
  expect(await deleted.json()).toEqual({ id, object: "response", deleted: true });
  const again = await fetch(url, { method: "DELETE" });
  expect(again.status).toBe(404);
  expect(await errorOf(again)).toMatchObject({ type: "invalid_request_error", code: "response_not_found" });
});

test("continues the conversation of a previous response, without its instructions", async () => {
  const { fake, responses } = await start();
  const call = { id: "call_1", function: { name: "weather", arguments: { city: "Oslo" } } };
  fake.respondWith(last({ message: { thinking: "Hm.", content: "Look:", tool_calls: [call] } }));
  const first = await responses.create({ ...baseRequest, instructions: "Be brief." });
  fake.respondWith(last({ message: { content: "It rains." } }));
  const second = await responses.create({
    model: "m",
    previous_response_id: first.id,
    input: [{ type: "function_call_output", call_id: "call_1", output: "rain" }],
  });
  expect(second).toMatchObject({ previous_response_id: first.id, output_text: "It rains." });
  await responses.create({ model: "m", previous_response_id: second.id, input: "And now?" });
  expect((await fake.conversation(2)).body.messages).toEqual([
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Look:", thinking: "Hm.", tool_calls: [call] },
    { role: "tool", content: "rain", tool_call_id: "call_1", tool_name: "weather" },
    { role: "assistant", content: "It rains." },
    { role: "user", content: "And now?" },
  ]);
});

test("continues the same response in two requests", async () => {
  const { fake, responses } = await start();
  const { id } = await responses.create(baseRequest);
  for (const input of ["A", "B"]) await responses.create({ model: "m", previous_response_id: id, input });
  const contents = fake.received.map(({ body }) => body.messages.map(({ content }) => content));
  expect(contents).toEqual([["Hi"], ["Hi", "Hello there.", "A"], ["Hi", "Hello there.", "B"]]);
});

test("resolves references to stored items", async () => {
  const { fake, responses } = await start();
  const first = await responses.create(baseRequest);
  const [{ id } = { id: "" }] = first.output as { id: string }[];
  const input = [{ role: "user", content: "Hi" }, { type: "item_reference", id }, { id }];
  const second = await responses.create({ model: "m", input } as unknown as typeof baseRequest);
  const roles = (await fake.conversation(1)).body.messages.map(({ role }) => role);
  expect(roles).toEqual(["user", "assistant", "assistant"]);
  // The second response keeps the items after the first is deleted.
  await responses.delete(first.id);
  await responses.create({ model: "m", previous_response_id: second.id, input: "Go on." });
  expect((await fake.conversation(2)).body.messages).toHaveLength(5);
});

test.each([
  ["previous_response_id", (name: string) => ({ input: "Hi", previous_response_id: name })],
  ["item_reference", (name: string) => ({ input: [{ type: "item_reference", id: name }] })],
  ["tools", (name: string) => ({ input: "Hi", tool_choice: "required", tools: [{ type: name }] })],
])("an error does not quote a name of a million characters completely: %s", async (_name, body) => {
  const { gateway } = await start();
  const response = await gateway.post("/v1/responses", { model: "m", ...body("a".repeat(1_000_000)) });
  expect([400, 404]).toContain(response.status);
  const { message } = await errorOf(response);
  expect(message).toContain("aaa");
  expect(message.length).toBeLessThan(20_000);
});

test("lists items and parts of unknown types with their own types and IDs", async () => {
  const { gateway } = await start();
  const input = [
    { type: "web_search_call", id: "ws_1", status: "completed" },
    { type: "some_call" },
    { type: "reasoning", summary: [{ type: "new_text", text: "a" }] },
    { role: "assistant", content: [{ type: "new_part", text: "a" }] },
    { type: "additional_tools", tools: [{ type: "web_search" }] },
    { role: "user", content: "Hi" },
  ];
  const created = await gateway.post("/v1/responses", { model: "m", input });
  const { id } = (await created.json()) as { id: string };
  const url = `${gateway.url}/v1/responses/${id}/input_items?order=asc`;
  const anyId = expect.any(String) as string;
  expect(await (await fetch(url)).json()).toMatchObject({
    data: [
      { type: "web_search_call", id: "ws_1" },
      { type: "some_call", id: anyId },
      { type: "reasoning", summary: [{ type: "new_text" }] },
      { type: "message", content: [{ type: "new_part" }] },
      { type: "additional_tools", tools: [{ type: "web_search" }] },
      { type: "message", content: "Hi" },
    ],
  });
  expect(await (await fetch(`${url}&limit=1`)).json()).toMatchObject({ last_id: "ws_1", has_more: true });
  expect(await (await fetch(`${url}&limit=1&after=ws_1`)).json()).toMatchObject({ last_id: anyId });
});

test("returns allowed tools of unknown types as sent", async () => {
  const { gateway } = await start();
  const tool_choice = { type: "allowed_tools", mode: "auto", tools: [{ type: "web_search" }] };
  const tools = [{ type: "function", name: "f" }];
  const response = await gateway.post("/v1/responses", { ...baseRequest, tools, tool_choice });
  expect(await response.json()).toMatchObject({ tool_choice });
});

test("lists the input items of a response by page, newest first by default", async () => {
  const { gateway, responses } = await start();
  const first = await responses.create({ ...baseRequest, instructions: "Be brief." });
  const { id } = await responses.create({
    model: "m",
    previous_response_id: first.id,
    input: [
      { role: "user", content: "One" },
      { role: "user", content: "Two" },
    ],
  });
  const listed = [];
  for await (const item of responses.inputItems.list(id, { limit: 2, order: "asc" })) listed.push(item);
  expect(listed).toMatchObject([
    { type: "message", role: "user", content: "Hi" },
    { type: "message", role: "assistant", content: [{ text: "Hello there." }] },
    { type: "message", content: "One" },
    { type: "message", content: "Two" },
  ]);
  expect(new Set(listed.map((item) => item.id)).size).toBe(4);
  const url = `${gateway.url}/v1/responses/${id}/input_items`;
  expect(await (await fetch(`${url}?limit=1`)).json()).toMatchObject({
    object: "list",
    data: [{ content: "Two" }],
    first_id: listed[3]?.id,
    last_id: listed[3]?.id,
    has_more: true,
  });
  for (const [query, param] of [
    ["limit=0", "limit"],
    ["limit=x", "limit"],
    ["order=up", "order"],
    ["after=x", "after"],
  ] as const) {
    const rejected = await fetch(`${url}?${query}`);
    expect(rejected.status).toBe(400);
    expect(await errorOf(rejected)).toMatchObject({ code: "invalid_value", param });
  }
});

test("rejects unknown responses and items as OpenAI does", async () => {
  const { gateway, responses } = await start();
  const previous = responses.create({ ...baseRequest, previous_response_id: "resp_1" });
  await expect(previous).rejects.toThrow(BadRequestError);
  await expect(previous).rejects.toMatchObject({
    code: "previous_response_not_found",
    param: "previous_response_id",
  });
  const input = [{ type: "item_reference" as const, id: "msg_1" }];
  const referred = responses.create({ model: "m", input });
  await expect(referred).rejects.toThrow(NotFoundError);
  await expect(referred).rejects.toMatchObject({ code: "item_not_found", param: "input[0].id" });
  const listed = await fetch(`${gateway.url}/v1/responses/resp_1/input_items`);
  expect(listed.status).toBe(404);
  const empty = await gateway.post("/v1/responses", { model: "m" });
  expect(empty.status).toBe(400);
  expect(await errorOf(empty)).toMatchObject({ code: "missing_required_parameter", param: "input" });
});

test("continues a previous response without further input", async () => {
  const { fake, responses } = await start();
  const { id } = await responses.create(baseRequest);
  await responses.create({ model: "m", previous_response_id: id });
  expect((await fake.conversation(1)).body.messages).toHaveLength(2);
});

test("shows a key only its own responses and items", async () => {
  const keys = [newKey("ada", []), newKey("bob", [])];
  const { gateway } = await start({ API_KEYS: keys.map(({ line }) => line).join("\n") });
  const [ada, bob] = keys.map(
    ({ key }) => new OpenAI({ apiKey: key, baseURL: `${gateway.url}/v1`, maxRetries: 0 }).responses,
  );
  const stored = await ada?.create(baseRequest);
  const id = stored?.id ?? "";
  const itemId = stored?.output[0]?.id ?? "";
  expect(await ada?.retrieve(id)).toMatchObject({ id });
  await expect(bob?.retrieve(id)).rejects.toThrow(NotFoundError);
  await expect(bob?.delete(id)).rejects.toThrow(NotFoundError);
  await expect(bob?.create({ ...baseRequest, previous_response_id: id })).rejects.toThrow(BadRequestError);
  const input = [{ type: "item_reference" as const, id: itemId }];
  await expect(bob?.create({ model: "m", input })).rejects.toThrow(NotFoundError);
  expect(await ada?.create({ model: "m", input })).toMatchObject({ status: "completed" });
});

test("expires a stored response", async () => {
  const { responses } = await start({ RESPONSE_STORE_TTL_MS: "50" });
  const { id } = await responses.create(baseRequest);
  const isGone = () =>
    responses.retrieve(id).then(
      () => false,
      (error: unknown) => error instanceof NotFoundError,
    );
  await expect.poll(isGone).toBe(true);
});

test("returns store: false for a response too large for the store", async () => {
  const { responses } = await start({ RESPONSE_STORE_LIMIT_BYTES: "8192" });
  expect(await responses.create(baseRequest)).toMatchObject({ store: true });
  expect(await responses.create({ ...baseRequest, input: "x".repeat(8192) })).toMatchObject({ store: false });
});

test("responds without storing anything if the store is disabled", async () => {
  const { responses } = await start({ RESPONSE_STORE_LIMIT_BYTES: "0" });
  const { id, ...rest } = await responses.create(baseRequest);
  expect(rest).toMatchObject({ store: false, output_text: "Hello there." });
  await expect(responses.retrieve(id)).rejects.toThrow(NotFoundError);
});

test("counts a stored conversation towards the memory of the request that continues it", async () => {
  const KIB = 1024;
  const { gateway, responses } = await start({
    BODY_LIMIT_BYTES: `${200 * KIB}`,
    BODIES_LIMIT_BYTES: `${256 * KIB}`,
  });
  const first = await responses.create({ ...baseRequest, input: "x".repeat(150 * KIB) });
  const next = { model: "m", previous_response_id: first.id, input: "y".repeat(150 * KIB) };
  const rejected = await gateway.post("/v1/responses", next);
  expect(rejected.status).toBe(503);
  expect(await errorOf(rejected)).toMatchObject({ code: "bodies_full" });
  expect((await gateway.post("/v1/responses", { ...next, input: "Go on." })).status).toBe(200);
});

test("rejects the continuation of a conversation larger than the body limit", async () => {
  const KIB = 1024;
  const { gateway, responses } = await start({ BODY_LIMIT_BYTES: `${100 * KIB}` });
  const first = await responses.create({ ...baseRequest, input: "x".repeat(60 * KIB) });
  const input = "y".repeat(60 * KIB);
  const second = await responses.create({ model: "m", previous_response_id: first.id, input });
  const next = { model: "m", previous_response_id: second.id, input: "Go on." };
  const rejected = await gateway.post("/v1/responses", next);
  expect(rejected.status).toBe(413);
  expect(await errorOf(rejected)).toMatchObject({ code: "body_too_large", param: "previous_response_id" });
});

test("rejects a continuation with more items than a request may have", async () => {
  const { gateway, responses } = await start();
  const turns = Array.from({ length: 1500 }, () => ({ role: "user" as const, content: "x" }));
  const { id } = await responses.create({ model: "m", input: turns });
  const rejected = await gateway.post("/v1/responses", {
    model: "m",
    previous_response_id: id,
    input: turns,
  });
  expect(rejected.status).toBe(400);
  expect(await errorOf(rejected)).toMatchObject({ code: "invalid_value", param: "previous_response_id" });
});
