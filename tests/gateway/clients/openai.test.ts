import OpenAI, { APIConnectionError, BadRequestError, InternalServerError, NotFoundError } from "openai";
import { expect, test } from "vitest";
import { last } from "../../../test-support/fakes/ollama/steps.ts";
import { hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

test("create answers", async () => {
  const { openai } = await startGateway(await startFake());
  const answer = await openai.chat.completions.create(hello);
  expect(answer.choices[0]?.message.content).toBe("Hello there.");
  expect(answer.usage?.total_tokens).toBe(14);
});

test("the streaming helper puts the answer together", async () => {
  const { openai } = await startGateway(await startFake());
  const stream = openai.chat.completions.stream({ ...hello, stream_options: { include_usage: true } });
  const answer = await stream.finalChatCompletion();
  expect(answer.choices[0]?.message.content).toBe("Hello there.");
  expect(answer.choices[0]?.finish_reason).toBe("stop");
  expect(answer.usage?.completion_tokens).toBe(3);
});

test("the models that are present are listed", async () => {
  const fake = await startFake();
  fake.models = ["llama3.2:1b", "hf.co/someone/model:q4"];
  const { openai } = await startGateway(fake);
  const { data } = await openai.models.list();
  expect(data).toMatchObject([
    { id: "llama3.2:1b", object: "model", created: 1735787045, owned_by: "library" },
    { id: "hf.co/someone/model:q4", object: "model", created: 1735787045, owned_by: "hf.co/someone" },
  ]);
});

test("a model is found by its name, slashes and all; one that is not there is a NotFoundError", async () => {
  const fake = await startFake();
  fake.models = ["m:latest", "hf.co/someone/model:q4"];
  const { openai, url } = await startGateway(fake);
  expect(await openai.models.retrieve("m")).toMatchObject({ id: "m:latest", object: "model" });
  expect(await openai.models.retrieve("hf.co/someone/model:q4")).toMatchObject({ owned_by: "hf.co/someone" });
  expect((await fetch(`${url}/v1/models/hf.co/someone/model:q4`)).status).toBe(200);
  const error: unknown = await openai.models.retrieve("nope").catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(NotFoundError);
  expect(error).toMatchObject({ code: "model_not_found", param: "model" });
});

test("a schema for the answer reaches Ollama, and the parsing helper reads the answer", async () => {
  const fake = await startFake();
  fake.respondWith(last({ message: { content: '{"city":"Oslo"}' } }));
  const { openai } = await startGateway(fake);
  const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
  const answer = await openai.chat.completions.parse({
    ...hello,
    response_format: { type: "json_schema", json_schema: { name: "place", strict: true, schema } },
  });
  expect(answer.choices[0]?.message.parsed).toEqual({ city: "Oslo" });
  expect((await fake.conversation()).body.format).toEqual(schema);
});

test("an unknown model is a NotFoundError with OpenAI's code", async () => {
  const fake = await startFake();
  fake.respondWith({ status: 404, body: `{"error":"model 'm' not found"}` });
  const { openai } = await startGateway(fake);
  const error: unknown = await openai.chat.completions.create(hello).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(NotFoundError);
  expect(error).toMatchObject({ code: "model_not_found", type: "invalid_request_error", param: "model" });
});

test("a wrong field is a BadRequestError that names it", async () => {
  const { openai } = await startGateway(await startFake());
  const error: unknown = await openai.chat.completions
    .create({ ...hello, n: 2 })
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(BadRequestError);
  expect(error).toMatchObject({ param: "n" });
});

test("an unreachable Ollama is a server error, not a connection error", async () => {
  const fake = await startFake();
  await fake.stop();
  const { openai } = await startGateway(fake);
  const error: unknown = await openai.chat.completions.create(hello).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(InternalServerError);
  expect(error).not.toBeInstanceOf(APIConnectionError);
  expect(error).toMatchObject({ status: 503 });
});

test("the client's own retry succeeds once Ollama is back", async () => {
  const fake = await startFake();
  fake.respondWith({ status: 503, body: '{"error":"server busy"}' });
  const gateway = await startGateway(fake);
  const openai = new OpenAI({
    apiKey: "none",
    baseURL: `${gateway.url}/v1`,
    maxRetries: 1,
    fetch: async (url, init) => {
      const response = await fetch(url, init);
      if (response.status === 503) fake.respondWith(last({ message: { content: "back" } }));
      const headers = new Headers(response.headers);
      // The client waits as long as it is told to; a test need not.
      headers.set("retry-after-ms", "1");
      return new Response(response.body, { status: response.status, headers });
    },
  });
  const answer = await openai.chat.completions.create(hello);
  expect(answer.choices[0]?.message.content).toBe("back");
});
