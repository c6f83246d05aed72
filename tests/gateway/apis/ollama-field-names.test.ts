import { expect, test } from "vitest";
import { withOwnFieldNames } from "../../../gateway/src/apis/ollama-native/field-names.ts";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

test.each([
  [
    { model: "m", _debug_render_only: true, top_logprobs: 1 },
    { model: "m", _debug_render_only: true, top_logprobs: 1 },
  ],
  [
    { Model: "m", STREAM: false },
    { model: "m", stream: false },
  ],
  [{ model: "a", Model: "b" }, { model: "b" }],
  [{ Model: "b", model: "a" }, { model: "a" }],
  [
    { "\u017Ftream": false, "\u212Aeep_alive": 0 },
    { stream: false, keep_alive: 0 },
  ],
  [{ model: "m", "x-trace": 1, für: 2, "": 3 }, { model: "m" }],
])("%j becomes %j", (body, canonical) => {
  expect(withOwnFieldNames(body)).toEqual(canonical);
});

test.each([null, 3, "text", [1]])("returns %j unchanged", (value) => {
  expect(withOwnFieldNames(value)).toBe(value);
});

test("rejects objects of so many fields in other spellings that renaming them would take long", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const message = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`K${index}`, 0]));
  const response = await gateway.post("/api/chat", { model: "m", messages: [message] });
  expect(response.status).toBe(400);
  expect(await response.json()).toEqual({ error: expect.stringContaining("16 fields") as string });
  expect(fake.received).toHaveLength(0);
});

test("accepts field names in any case, as Ollama does", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const messages = [{ Role: "user", CONTENT: "Hi" }];
  const body = { Model: "m", Messages: messages, Stream: false, Options: { seed: 7 }, Keep_Alive: "5m" };
  const response = await gateway.post("/api/chat", body);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toContain("application/json");
  expect((await fake.conversation()).body).toEqual({
    model: "m",
    messages: [{ role: "user", content: "Hi" }],
    stream: false,
    options: { seed: 7 },
    keep_alive: "5m",
  });
});

test("makes a schema safe whatever the case of its field name", async () => {
  const gateway = await startGateway(await startFake());
  const Format = { type: "string", pattern: "(a" };
  const response = await gateway.post("/api/generate", { model: "m", prompt: "Hi", Format });
  const lowerCase = await gateway.post("/api/generate", { model: "m", prompt: "Hi", format: Format });
  expect(response.status).toBe(lowerCase.status);
  expect(response.headers.get("x-ignored-schema-keywords")).toBe(
    lowerCase.headers.get("x-ignored-schema-keywords"),
  );
});

test.each(["/api/show", "/api/embed"])("%s accepts name for model, and prefers model", async (path) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  for (const fields of [
    { name: "m" },
    { model: "", name: "m" },
    { model: null, name: "m" },
    { model: "m", name: "x" },
  ]) {
    expect((await gateway.post(path, { ...fields, input: "Hi" })).status).toBe(200);
  }
  const missing = await gateway.post(path, { input: "Hi" });
  expect(missing.status).toBe(400);
  expect(await missing.text()).toContain("'model'");
});
