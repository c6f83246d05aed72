import { expect, test } from "vitest";
import { token } from "./fake-ollama.ts";
import { errorOf, readEvents, startFake, startGateway } from "./harness.ts";

const route = "/v1/example-service";

test("messages as a string are what the user says; it streams, up to 1024 tokens, with the default model", async () => {
  const fake = await startFake();
  fake.models = ["default:1b"];
  const gateway = await startGateway(fake, { LLM_MODEL_ID: "default:1b" });
  const response = await gateway.post(route, { messages: "Hi" });
  expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
  const { data } = await readEvents(response);
  expect(data.at(-1)).toBe("[DONE]");
  expect(data.map((event) => /"content":"([^"]+)"/.exec(event)?.[1] ?? "").join("")).toBe("Hello there.");
  expect((await fake.conversation()).body).toMatchObject({
    model: "default:1b",
    messages: [{ role: "user", content: "Hi" }],
    stream: true,
    options: { num_predict: 1024 },
  });
});

test("messages as a list all arrive; a whole answer is a chat completion", async () => {
  const fake = await startFake();
  fake.models = ["other:latest"];
  const gateway = await startGateway(fake);
  const messages = [
    { role: "user", content: "I am Ada." },
    { role: "assistant", content: "Hello Ada." },
    { role: "user", content: "Who am I?" },
  ];
  const response = await gateway.post(route, { messages, model: "other", stream: false, max_tokens: 9 });
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({
    object: "chat.completion",
    model: "other",
    choices: [{ message: { role: "assistant", content: "Hello there." }, finish_reason: "stop" }],
    usage: { prompt_tokens: 11, completion_tokens: 3, total_tokens: 14 },
  });
  expect((await fake.conversation()).body).toMatchObject({
    messages,
    stream: false,
    options: { num_predict: 9 },
  });
});

test("an unknown model is 400, as OPEA's clients expect", async () => {
  const fake = await startFake();
  fake.answers({ status: 404, body: `{"error":"model 'nope' not found"}` });
  const gateway = await startGateway(fake);
  const response = await gateway.post(route, { messages: "Hi", model: "nope" });
  expect(response.status).toBe(400);
  expect(await errorOf(response)).toMatchObject({ code: "model_not_found", param: "model" });
});

test.each([
  [{}, "messages"],
  [{ messages: "" }, "messages"],
  [{ messages: 3 }, "messages"],
  [{ messages: [{ role: "user" }] }, "messages[0].content"],
  [{ messages: "Hi", n: 3 }, "n"],
])("%j is refused, naming %s", async (body, param) => {
  const gateway = await startGateway(await startFake());
  const response = await gateway.post(route, body);
  expect(response.status).toBe(400);
  expect((await errorOf(response)).param).toBe(param);
});

test("a failure in the middle of the stream is an error, not the clean end that OPEA makes of it", async () => {
  const fake = await startFake();
  fake.answers(token("Hel"), { waitMs: 20 }, "cut");
  const gateway = await startGateway(fake);
  const { data, brokenOff } = await readEvents(await gateway.post(route, { messages: "Hi" }));
  expect(data).not.toContain("[DONE]");
  expect(data.at(-1)).toContain("upstream_incomplete");
  expect(brokenOff).toBe(true);
});

test("GET /v1/health_check tells OPEA's orchestrator what the service is", async () => {
  const gateway = await startGateway(await startFake());
  const response = await fetch(`${gateway.url}/v1/health_check`);
  expect(await response.json()).toEqual({
    "Service Title": "ollama-stack gateway",
    Version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
    "Service Description": expect.any(String) as string,
  });
});
