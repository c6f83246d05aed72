import OpenAI, { APIConnectionError, BadRequestError, InternalServerError, NotFoundError } from "openai";
import { expect, test } from "vitest";
import { last } from "../../../test-support/fakes/ollama/steps.ts";
import { hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

test("create returns a completion", async () => {
  const { openai } = await startGateway(await startFake());
  const completion = await openai.chat.completions.create(hello);
  expect(completion.choices[0]?.message.content).toBe("Hello there.");
  expect(completion.usage?.total_tokens).toBe(14);
});

test("the streaming helper assembles the completion", async () => {
  const { openai } = await startGateway(await startFake());
  const stream = openai.chat.completions.stream({ ...hello, stream_options: { include_usage: true } });
  const completion = await stream.finalChatCompletion();
  expect(completion.choices[0]?.message.content).toBe("Hello there.");
  expect(completion.choices[0]?.finish_reason).toBe("stop");
  expect(completion.usage?.completion_tokens).toBe(3);
});

test("lists the installed models", async () => {
  const fake = await startFake();
  fake.models = ["llama3.2:1b", "hf.co/someone/model:q4"];
  const { openai } = await startGateway(fake);
  const { data } = await openai.models.list();
  expect(data).toMatchObject([
    { id: "llama3.2:1b", object: "model", created: 1735787045, owned_by: "library" },
    { id: "hf.co/someone/model:q4", object: "model", created: 1735787045, owned_by: "hf.co/someone" },
  ]);
});

test("retrieves a model by its name, even with slashes, and throws NotFoundError for an unknown one", async () => {
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

test("sends the response schema to Ollama, and the parsing helper parses the response", async () => {
  const fake = await startFake();
  fake.respondWith(last({ message: { content: '{"city":"Oslo"}' } }));
  const { openai } = await startGateway(fake);
  const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
  const completion = await openai.chat.completions.parse({
    ...hello,
    response_format: { type: "json_schema", json_schema: { name: "place", strict: true, schema } },
  });
  expect(completion.choices[0]?.message.parsed).toEqual({ city: "Oslo" });
  expect((await fake.conversation()).body.format).toEqual(schema);
});

test("throws NotFoundError with OpenAI's code for an unknown model", async () => {
  const fake = await startFake();
  fake.respondWith({ status: 404, body: `{"error":"model 'm' not found"}` });
  const { openai } = await startGateway(fake);
  const error: unknown = await openai.chat.completions.create(hello).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(NotFoundError);
  expect(error).toMatchObject({ code: "model_not_found", type: "invalid_request_error", param: "model" });
});

test("throws BadRequestError with the name of an invalid field", async () => {
  const { openai } = await startGateway(await startFake());
  const error: unknown = await openai.chat.completions
    .create({ ...hello, n: 2 })
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(BadRequestError);
  expect(error).toMatchObject({ param: "n" });
});

test("throws a server error, not a connection error, if Ollama is unreachable", async () => {
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
      // Shortens the client's wait before its retry.
      headers.set("retry-after-ms", "1");
      return new Response(response.body, { status: response.status, headers });
    },
  });
  const completion = await openai.chat.completions.create(hello);
  expect(completion.choices[0]?.message.content).toBe("back");
});
