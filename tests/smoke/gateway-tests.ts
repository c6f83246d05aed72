import OpenAI from "openai";
import { beforeAll, expect, it } from "vitest";
import { requestSampleResponse } from "../../scripts/connect/sample-prompt.ts";

// The key for stacks that require one.
const apiKey = process.env["OLLAMA_STACK_API_KEY"];
const headers = {
  "content-type": "application/json",
  ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
};

interface Completion {
  choices: { message: { role: string; content: string }; finish_reason: string }[];
  usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
}

/** A deployed gateway and its stack's models. */
interface TestedGateway {
  readonly url: string;
  readonly models: readonly string[];
}

/** Sends a body to the gateway's chat completions endpoint. */
export function chatWith(gatewayUrl: string, body: unknown): Promise<Response> {
  return fetch(`${gatewayUrl}/v1/chat/completions`, {
    method: "POST",
    headers,
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

/** Tests for the gateway of any deployed stack. */
export function testGateway(deployed: () => TestedGateway): void {
  let gateway: TestedGateway;
  let model: string;
  beforeAll(() => {
    gateway = deployed();
    model = gateway.models[0] ?? "";
  });
  const chat = (body: unknown) => chatWith(gateway.url, body);
  const complete = async (messages: object[], more: object = {}): Promise<Completion> => {
    const response = await chat({ model, messages, temperature: 0, seed: 1, max_tokens: 24, ...more });
    expect(response.status).toBe(200);
    return (await response.json()) as Completion;
  };

  it("tells a joke through the gateway", async () => {
    const { text, seconds } = await requestSampleResponse({ gatewayUrl: gateway.url, apiKey }, model);
    // The time depends on the machine, so it is reported, not asserted.
    console.log(`A joke took ${seconds.toFixed(1)} s`);
    expect(text).toMatch(/\w{2,}/);
  });

  it("streams in more than one chunk and ends with [DONE]", async () => {
    const response = await chat({
      model,
      stream: true,
      max_tokens: 24,
      messages: [{ role: "user", content: "Count to ten." }],
    });
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    const decoder = new TextDecoder();
    const reads: string[] = [];
    for await (const bytes of (response.body ?? []) as AsyncIterable<Uint8Array>)
      reads.push(decoder.decode(bytes, { stream: true }));
    // A buffered response would arrive in a single read.
    expect(reads.filter((read) => read.includes("data: ")).length).toBeGreaterThan(1);
    const events = reads
      .join("")
      .split("\n\n")
      .filter((event) => event.startsWith("data: "));
    expect(events.at(-1)).toBe("data: [DONE]");
    const pieces = events
      .slice(0, -1)
      .map((event) => JSON.parse(event.slice(6)) as { choices: { delta: { content?: string } }[] })
      .filter(({ choices }) => (choices[0]?.delta.content ?? "") !== "");
    expect(pieces.length).toBeGreaterThan(1);
  });

  it("processes every message of a conversation, not only the first", async () => {
    const first = { role: "user", content: "Hello." };
    const more = [
      { role: "assistant", content: "Hi!" },
      { role: "user", content: "What is the capital of France? One word." },
    ];
    const short = await complete([first]);
    const long = await complete([first, ...more]);
    expect(long.usage.prompt_tokens).toBeGreaterThanOrEqual(short.usage.prompt_tokens + 12);
    expect(long.choices[0]?.message.content).toMatch(/paris/i);
  });

  it("serves the openai client, buffered and streamed", async () => {
    const client = new OpenAI({
      baseURL: `${gateway.url}/v1`,
      apiKey: apiKey ?? "none",
      maxRetries: 0,
    });
    const messages = [{ role: "user" as const, content: "Say hello." }];
    const completion = await client.chat.completions.create({ model, messages, max_completion_tokens: 16 });
    expect(completion.choices[0]?.message.content).toMatch(/\w/);
    expect(completion.usage?.completion_tokens).toBeGreaterThan(0);
    let text = "";
    let reason: string | null = null;
    for await (const chunk of await client.chat.completions.create({
      model,
      messages,
      max_completion_tokens: 16,
      stream: true,
    })) {
      text += chunk.choices[0]?.delta.content ?? "";
      reason = chunk.choices[0]?.finish_reason ?? reason;
    }
    expect(text).toMatch(/\w/);
    expect(["stop", "length"]).toContain(reason);
    const listed = (await client.models.list()).data.map(({ id }) => id);
    expect(listed).toEqual(expect.arrayContaining([...gateway.models]));
  });

  it("responds in OPEA's format", async () => {
    const response = await fetch(`${gateway.url}/v1/example-service`, {
      method: "POST",
      headers,
      body: JSON.stringify({ model, messages: "Tell me a joke.", stream: false, max_tokens: 24 }),
    });
    expect(response.status).toBe(200);
    const { choices } = (await response.json()) as Completion;
    expect(choices[0]?.message.content).toMatch(/\w/);
  });

  it("rejects an unknown model with 404 model_not_found", async () => {
    const response = await chat({ model: "no-such-model:1b", messages: [{ role: "user", content: "Hi" }] });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({
      error: { code: "model_not_found", type: "invalid_request_error" },
    });
  });

  it.each([
    ["malformed JSON", '{"model": "x", "messages": [', undefined],
    ["a wrong field", JSON.stringify({ model: "x", messages: "not a list" }), "messages"],
  ])("rejects %s with 400 and names the problem", async (_problem, body, param) => {
    const response = await chat(body);
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as {
      error: { message: string; type: string; param: string | null };
    };
    expect(error.type).toBe("invalid_request_error");
    expect(error.message.length).toBeGreaterThan(10);
    if (param !== undefined) expect(error.param).toBe(param);
  });
}
