import Anthropic from "@anthropic-ai/sdk";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { generateText, jsonSchema, Output, streamText } from "ai";
import { Ollama } from "ollama";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { docker } from "../../engine/docker-cli.ts";
import type { StackOutputs } from "../../scripts/stack/outputs.ts";
import { describeOllamaCli } from "./ollama-cli.ts";
import { Project } from "../../test-support/stack/project.ts";
import { expiry, keptLoaded } from "./kept-loaded.ts";
import { testPythonClients } from "./python-clients.ts";

// Each client library against a deployed stack with a real model, and behaviour that only a real Ollama shows.
// tests/gateway covers responses that Ollama rarely or never sends.
const project = new Project({ stack: "clients", ollamaPort: 18608, gatewayPort: 18600 });
let outputs: StackOutputs;
let url: string;
let model: string;

const apiKey = "none";
const prompt = "Say hello.";
const messages = [{ role: "user" as const, content: prompt }];
// Generates for longer than a test runs.
const endless = {
  messages: [
    { role: "user" as const, content: "Count from 1 to 1000: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12," },
  ],
  temperature: 0,
  max_completion_tokens: 4000,
};

beforeAll(async () => {
  await project.pulumi("stack", "init", project.stack);
  const [first] = project.configured("models") as object[];
  // So small a model may generate for minutes if a client, such as ollama run, sets no limit. Several threads would
  // wait for each other at each step while other tests use the cores.
  project.configure({
    models: [{ ...first, keepLoaded: true, parameters: { num_predict: 128, num_thread: 1 } }],
  });
  await project.pulumi("up", "--yes", "--skip-preview");
  outputs = await project.outputs();
  url = outputs.gatewayUrl;
  model = outputs.installedModels[0]?.model ?? "";
});
afterAll(() => {
  project.discard();
});

const openai = () => new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 });

/** Times of matching lines in Ollama's log. It has a line for the end of each request and the start of each model. */
async function readLogTimes(pattern: RegExp): Promise<number[]> {
  const log = await docker(["container", "logs", "--timestamps", outputs.containers.ollama], { merge: true });
  const lines = log.split("\n").filter((line) => pattern.test(line));
  return lines.map((line) => Date.parse(line.split(" ")[0] ?? ""));
}

async function countLogLines(pattern: RegExp): Promise<number> {
  return (await readLogTimes(pattern)).length;
}

const expires = () => expiry(outputs.ollamaUrl, model);
const isKept = () => keptLoaded(outputs.ollamaUrl, model);

test("a model with keepLoaded is loaded before the first request", async () => {
  await expect.poll(isKept, { timeout: 30_000, interval: 100 }).toBe(true);
});

describe("the openai client", () => {
  test("gets buffered and streamed responses with usage", async () => {
    const buffered = await openai().chat.completions.create({ model, messages, max_completion_tokens: 16 });
    expect(buffered.choices[0]?.message.content).not.toBe("");
    expect(buffered.usage?.completion_tokens).toBeGreaterThan(0);
    const stream = await openai().chat.completions.create({
      ...{ model, messages, max_completion_tokens: 16 },
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let usage;
    const reasons = [];
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      reasons.push(...chunk.choices.flatMap(({ finish_reason: reason }) => reason ?? []));
      usage = chunk.usage ?? usage;
    }
    expect(text).not.toBe("");
    expect(reasons).toHaveLength(1);
    expect(["stop", "length"]).toContain(reasons[0]);
    expect(usage?.completion_tokens).toBeGreaterThan(0);
  });

  test("parses structured output", async () => {
    const response_format = zodResponseFormat(z.object({ polite: z.boolean() }), "judgement");
    const parsed = await openai().chat.completions.parse({ model, messages, response_format });
    expect(typeof parsed.choices[0]?.message.parsed?.polite).toBe("boolean");
  });

  test("runs a tool that the model is required to call", async () => {
    const units: string[] = [];
    const runner = openai().chat.completions.runTools(
      {
        model,
        messages,
        max_completion_tokens: 64,
        tool_choice: { type: "function", function: { name: "set_unit" } },
        tools: [
          {
            type: "function",
            function: {
              name: "set_unit",
              description: "Sets the unit of temperatures",
              parameters: {
                type: "object",
                properties: { unit: { enum: ["celsius", "fahrenheit"] } },
                required: ["unit"],
                additionalProperties: false,
              },
              parse: (text: string) => JSON.parse(text) as { unit: string },
              function: ({ unit }: { unit: string }) => units.push(unit),
            },
          },
        ],
      },
      { maxChatCompletions: 2 },
    );
    await runner.done();
    expect(["celsius", "fahrenheit"]).toContain(units[0]);
  });

  test("gets completions, embeddings, models and responses", async () => {
    expect((await openai().completions.create({ model, prompt, max_tokens: 4 })).choices[0]?.text).not.toBe(
      "",
    );
    expect((await openai().embeddings.create({ model, input: ["a", "b"] })).data).toHaveLength(2);
    expect((await openai().models.list()).data.map(({ id }) => id)).toContain(model);
    const response = await openai().responses.create({ model, input: prompt, max_output_tokens: 16 });
    expect(response.output_text).not.toBe("");
  });
});

test("the AI SDK generates, streams and parses objects", async () => {
  const provider = createOpenAICompatible({
    name: "gateway",
    baseURL: `${url}/v1`,
    supportsStructuredOutputs: true,
  });
  const request = { model: provider(model), prompt, maxOutputTokens: 16, maxRetries: 0 };
  expect((await generateText(request)).text).not.toBe("");
  expect(await streamText(request).text).not.toBe("");
  const schema = jsonSchema<{ polite: boolean }>({
    type: "object",
    properties: { polite: { type: "boolean" } },
    required: ["polite"],
    additionalProperties: false,
  });
  const { output } = await generateText({
    ...request,
    maxOutputTokens: 64,
    output: Output.object({ schema }),
  });
  expect(typeof output.polite).toBe("boolean");
});

test("LangChain invokes, streams and embeds", async () => {
  const connection = { apiKey, maxRetries: 0, configuration: { baseURL: `${url}/v1` } };
  const chat = new ChatOpenAI({ ...connection, model, maxTokens: 16 });
  expect((await chat.invoke(prompt)).content).not.toBe("");
  let text = "";
  for await (const chunk of await chat.stream(prompt)) text += chunk.text;
  expect(text).not.toBe("");
  expect(await new OpenAIEmbeddings({ ...connection, model }).embedQuery("a")).not.toHaveLength(0);
});

test("Anthropic's client gets buffered and streamed responses", async () => {
  const anthropic = new Anthropic({ baseURL: url, apiKey, maxRetries: 0 });
  const request = { model, messages, max_tokens: 16 };
  const buffered = await anthropic.messages.create(request);
  expect(buffered.content).toMatchObject([{ type: "text" }]);
  expect(buffered.usage.output_tokens).toBeGreaterThan(0);
  const streamed = await anthropic.messages.stream(request).finalMessage();
  expect(streamed.content).toMatchObject([{ type: "text" }]);
  expect(["end_turn", "max_tokens"]).toContain(streamed.stop_reason);
});

test("Ollama's own client chats, generates, embeds, and lists and shows models", async () => {
  const ollama = new Ollama({ host: url });
  const options = { num_predict: 8 };
  expect((await ollama.chat({ model, messages, options })).message.content).not.toBe("");
  let last;
  for await (const part of await ollama.generate({ model, prompt, options, stream: true })) last = part;
  expect(last).toMatchObject({ done: true });
  expect((await ollama.embed({ model, input: "a" })).embeddings).toHaveLength(1);
  expect((await ollama.list()).models.map(({ name }) => name)).toContain(model);
  expect((await ollama.ps()).models.map(({ name }) => name)).toContain(model);
  expect((await ollama.show({ model })).capabilities).toContain("completion");
});

testPythonClients(() => ({ url, model }));

describeOllamaCli(() => outputs);

describe("a client that disconnects", () => {
  test.each([true, false])("stops Ollama within a second (streamed: %j)", async (stream) => {
    const ended = /POST\s+"\/api\/chat"/;
    const before = await countLogLines(ended);
    const controller = new AbortController();
    const completion = openai().chat.completions.create(
      { model, ...endless, stream },
      { signal: controller.signal },
    );
    if (stream) {
      // Not a for loop, because leaving it closes the stream.
      const chunks = ((await completion) as AsyncIterable<unknown>)[Symbol.asyncIterator]();
      for (let read = 0; read < 3; read += 1) expect(await chunks.next()).toMatchObject({ done: false });
    } else {
      completion.catch(() => undefined);
      await sleep(300);
    }
    const busy = await expires();
    expect(busy).toBeDefined();
    await sleep(100);
    expect([await countLogLines(ended), await expires()]).toEqual([before, busy]);
    const disconnectedAt = Date.now();
    controller.abort();
    // On a busy machine, reading the log may take longer than the measured time, so the line's own timestamp counts.
    const patient = { timeout: 15_000, interval: 50 };
    await expect.poll(() => countLogLines(ended), patient).toBe(before + 1);
    await expect.poll(expires, patient).toBeGreaterThan(busy ?? 0);
    expect(Math.max(...(await readLogTimes(ended))) - disconnectedAt).toBeLessThan(1300);
  });
});

test("waiting requests share one cold load, which continues when the first client disconnects", async () => {
  const ollama = new Ollama({ host: outputs.ollamaUrl });
  await ollama.generate({ model, prompt: "", keep_alive: 0 });
  await expect
    .poll(async () => (await ollama.ps()).models.map(({ name }) => name), { timeout: 10_000 })
    .not.toContain(model);
  const started = /msg="starting runner"/;
  const before = await countLogLines(started);
  const impatient = new AbortController();
  const first = openai().chat.completions.create(
    { model, messages, max_completion_tokens: 4 },
    { signal: impatient.signal },
  );
  first.catch(() => undefined);
  await sleep(20);
  const others = Array.from({ length: 3 }, () =>
    openai().chat.completions.create({ model, messages, max_completion_tokens: 4 }),
  );
  impatient.abort();
  for (const response of await Promise.all(others)) expect(response.choices[0]?.message.content).not.toBe("");
  await expect(first).rejects.toThrow();
  expect(await countLogLines(started)).toBe(before + 1);
});

test("a conversation longer than the context is rejected, and truncated only on request", async () => {
  const long = {
    model,
    messages: [{ role: "user" as const, content: "word ".repeat(250) }],
    max_completion_tokens: 1,
  };
  // Small, because the model evaluates as much of the prompt as fits.
  const narrow = { num_ctx: 128 } as object;
  const rejection = () =>
    openai()
      .chat.completions.create({ ...long, ...narrow })
      .catch((error: unknown) => error);
  // While Ollama is too busy to report its models, the message has no numbers.
  await expect.poll(rejection).toMatchObject({
    status: 400,
    code: "context_length_exceeded",
    message: expect.stringMatching(/128 tokens/) as string,
  });
  const truncated = await openai().chat.completions.create({
    ...long,
    ...narrow,
    ...({ truncate: true } as object),
  });
  expect(truncated.usage?.prompt_tokens).toBeLessThanOrEqual(128);
});

test("a model with keepLoaded is loaded again and kept after a restart of Ollama", async () => {
  await docker(["container", "restart", outputs.containers.ollama]);
  await expect.poll(isKept, { timeout: 30_000, interval: 500 }).toBe(true);
});
