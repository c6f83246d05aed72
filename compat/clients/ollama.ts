import assert from "node:assert/strict";
import { type Message, Ollama } from "ollama";
import {
  assertReply,
  assertThought,
  assertVector,
  type Client,
  type Endpoint,
  installedVersion,
  joinStream,
  picture,
  place,
  question,
  turns,
  weather,
} from "../client.ts";
import { imagePrompt } from "../model/script.ts";

const messages = [{ role: "user", content: question }];
const { run, schema, ...named } = weather;
const tools = [{ type: "function", function: { ...named, parameters: schema } }];

function ollamaOf({ url }: Endpoint): Ollama {
  return new Ollama({ host: url });
}

async function useTool(endpoint: Endpoint, isStreamed: boolean): Promise<void> {
  const ollama = ollamaOf(endpoint);
  const chat = async (all: Message[]): Promise<Message> => {
    const body = { model: endpoint.model, messages: all, tools };
    if (!isStreamed) return (await ollama.chat(body)).message;
    const complete: Message = { role: "assistant", content: "", thinking: "", tool_calls: [] };
    for await (const { message } of await ollama.chat({ ...body, stream: true })) {
      complete.content += message.content;
      complete.thinking = `${complete.thinking ?? ""}${message.thinking ?? ""}`;
      complete.tool_calls?.push(...(message.tool_calls ?? []));
    }
    return complete;
  };
  const conversation: Message[] = [...messages];
  const reply = await chat(conversation);
  const [call] = reply.tool_calls ?? [];
  assert.ok(call, "it did not call the tool");
  const result = {
    role: "tool",
    tool_name: call.function.name,
    content: run(call.function.arguments as never),
  };
  assertReply((await chat([...conversation, reply, result])).content, "thoughtful");
}

export const ollama: Client = {
  name: "ollama",
  version: installedVersion("ollama"),
  scenarios: {
    async response(endpoint) {
      const response = await ollamaOf(endpoint).chat({ model: endpoint.model, messages });
      assertReply(response.message.content, "first");
      assert.ok(response.eval_count > 0 && response.done_reason === "stop", "no usage");
    },
    async stream(endpoint) {
      const stream = await ollamaOf(endpoint).chat({ model: endpoint.model, messages, stream: true });
      const texts = (async function* () {
        for await (const { message } of stream) yield message.content;
      })();
      assertReply(await joinStream(texts), "first");
    },
    async "several turns"(endpoint) {
      const response = await ollamaOf(endpoint).chat({ model: endpoint.model, messages: turns });
      assertReply(response.message.content, "again");
    },
    tool: (endpoint) => useTool(endpoint, false),
    "streamed tool": (endpoint) => useTool(endpoint, true),
    async "structured output"(endpoint) {
      const response = await ollamaOf(endpoint).chat({ model: endpoint.model, messages, format: schema });
      assert.deepEqual(JSON.parse(response.message.content), place);
    },
    async image(endpoint) {
      const withImage = [{ role: "user", content: imagePrompt, images: [picture] }];
      const response = await ollamaOf(endpoint).chat({ model: endpoint.model, messages: withImage });
      assertReply(response.message.content, "image");
    },
    async thinking(endpoint) {
      const ollama = ollamaOf(endpoint);
      const thoughtful = await ollama.chat({ model: endpoint.model, messages, think: true });
      assertThought(thoughtful.message.thinking);
      const quick = await ollama.chat({ model: endpoint.model, messages, think: false });
      assert.equal(quick.message.thinking, undefined);
      assertReply(quick.message.content, "first");
    },
    async generate(endpoint) {
      const response = await ollamaOf(endpoint).generate({ model: endpoint.model, prompt: question });
      assertReply(response.response, "first");
    },
    async embeddings(endpoint) {
      const { embeddings } = await ollamaOf(endpoint).embed({ model: endpoint.model, input: ["a", "b"] });
      assert.equal(embeddings.length, 2);
      for (const vector of embeddings) assertVector(vector);
    },
    async models(endpoint) {
      const ollama = ollamaOf(endpoint);
      const names = (await ollama.list()).models.map(({ model }) => model);
      assert.ok(names.includes(endpoint.model), `it lists ${names.join()}`);
      const { capabilities } = await ollama.show({ model: endpoint.model });
      assert.deepEqual([...capabilities].sort(), ["completion", "insert", "thinking", "tools", "vision"]);
      await ollama.generate({ model: endpoint.model, prompt: "", keep_alive: "5m" });
      assert.ok(
        (await ollama.ps()).models.some(({ model }) => model === endpoint.model),
        "not loaded",
      );
    },
    async "unknown model"(endpoint) {
      const call = ollamaOf(endpoint).chat({ model: "missing", messages });
      await assert.rejects(call, { status_code: 404 });
    },
  },
};
