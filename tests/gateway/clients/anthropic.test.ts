import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";
import { betaMemoryTool } from "@anthropic-ai/sdk/helpers/beta/memory";
import { expect, test } from "vitest";
import { type Step, last, token } from "../../../test-support/fakes/ollama/steps.ts";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

async function start() {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  return { fake, gateway, anthropic: new Anthropic({ baseURL: gateway.url, apiKey: "none", maxRetries: 0 }) };
}

const thinking = (text: string): Step => ({
  line: { message: { content: "", thinking: text }, done: false },
});
const calling = (city: string): Step => ({
  line: {
    message: { content: "", tool_calls: [{ function: { name: "weather", arguments: { city } } }] },
    done: false,
  },
});
const inputSchema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] } as const;
const weather = {
  name: "weather",
  description: "The weather in a city",
  input_schema: { ...inputSchema, required: ["city"] },
};
const question = { role: "user" as const, content: "Hi" };

test.each([
  ["shown", undefined],
  ["hidden", "omitted" as const],
])("sends %s thinking back to the model in the next turn, streamed", async (_, display) => {
  const { fake, anthropic } = await start();
  fake.respondTo(({ messages }) =>
    messages.some(({ role }) => role === "tool")
      ? [token("It rains."), last()]
      : [thinking("Where "), thinking("is it?"), token("I look."), calling("Oslo"), last()],
  );
  const request = {
    model: "m",
    max_tokens: 2000,
    tools: [weather],
    thinking: { type: "adaptive" as const, ...(display === undefined ? {} : { display }) },
  };
  const first = await anthropic.messages.stream({ ...request, messages: [question] }).finalMessage();
  expect(first.stop_reason).toBe("tool_use");
  const [thought] = first.content;
  expect(thought).toMatchObject({ type: "thinking", thinking: display === undefined ? "Where is it?" : "" });
  const call = first.content.find((block) => block.type === "tool_use");
  const messages = [
    question,
    { role: "assistant" as const, content: first.content },
    {
      role: "user" as const,
      content: [{ type: "tool_result" as const, tool_use_id: call?.id ?? "", content: "Rain" }],
    },
  ];
  const second = await anthropic.messages.stream({ ...request, messages }).finalMessage();
  expect(second.content).toEqual([{ type: "text", text: "It rains." }]);
  expect((await fake.conversation(1)).body.messages).toMatchObject([
    question,
    {
      role: "assistant",
      content: "I look.",
      thinking: "Where is it?",
      tool_calls: [{ function: { name: "weather" } }],
    },
    { role: "tool", content: "Rain", tool_name: "weather" },
  ]);
});

test.each([false, true])(
  "the tool runner runs tools until the final response (streamed: %j)",
  async (stream) => {
    const { fake, anthropic } = await start();
    fake.respondTo(({ messages }) => {
      const results = messages.filter(({ role }) => role === "tool").length;
      const steps = results < 2 ? [thinking("Hm."), calling(`City ${results}`)] : [token("It rains.")];
      return [...steps, last()];
    });
    const cities: string[] = [];
    const tool = betaTool({
      name: "weather",
      description: "The weather in a city",
      inputSchema,
      run: ({ city }) => {
        cities.push(city);
        return `Rain in ${city}`;
      },
    });
    const request = { model: "m", max_tokens: 500, messages: [question], tools: [tool] };
    let response;
    if (stream) {
      for await (const message of anthropic.beta.messages.toolRunner({ ...request, stream: true })) {
        response = await message.finalMessage();
      }
    } else response = await anthropic.beta.messages.toolRunner(request);
    expect(response?.content).toMatchObject([{ type: "text", text: "It rains." }]);
    expect(cities).toEqual(["City 0", "City 1"]);
  },
);

test("the model calls the SDK's memory tool and gets the client's memory", async () => {
  const { fake, anthropic } = await start();
  const call = { function: { name: "memory", arguments: { command: "view", path: "/memories" } } };
  fake.respondTo(({ messages }) =>
    messages.some(({ role }) => role === "tool")
      ? [last({ message: { content: "You like rain." } })]
      : [last({ message: { content: "", tool_calls: [call] } })],
  );
  const unused = () => "unused";
  const memory = betaMemoryTool({
    view: ({ path }) => `${path}: likes rain`,
    create: unused,
    str_replace: unused,
    insert: unused,
    delete: unused,
    rename: unused,
  });
  const runner = anthropic.beta.messages.toolRunner({
    model: "m",
    max_tokens: 500,
    messages: [question],
    tools: [memory],
  });
  expect((await runner).content).toMatchObject([{ type: "text", text: "You like rain." }]);
  const { messages, tools } = (await fake.conversation(1)).body;
  expect(messages.at(-1)).toMatchObject({ content: "/memories: likes rain", tool_name: "memory" });
  expect(tools).toMatchObject([{ function: { name: "memory" } }]);
});

test("sends the schema of structured output to Ollama and returns the output", async () => {
  const { fake, anthropic } = await start();
  fake.respondWith(last({ message: { content: '{"city":"Oslo"}' } }));
  const response = await anthropic.messages.create({
    model: "m",
    max_tokens: 9,
    messages: [question],
    output_config: { format: { type: "json_schema", schema: { ...inputSchema } } },
  });
  expect(response.content).toEqual([{ type: "text", text: '{"city":"Oslo"}' }]);
  expect((await fake.conversation()).body.format).toMatchObject({ properties: { city: { type: "string" } } });
});

test("accepts a request with Claude Code's defaults and lists the ignored parameters", async () => {
  const { fake, gateway } = await start();
  const response = await fetch(`${gateway.url}/v1/messages?beta=true`, {
    method: "POST",
    headers: {
      authorization: "Bearer none",
      "content-type": "application/json",
      "anthropic-version": "2023-06-01",
      "anthropic-beta": "claude-code-20250219,context-management-2025-06-27,effort-2025-11-24",
    },
    body: JSON.stringify({
      model: "m",
      max_tokens: 32_000,
      stream: true,
      metadata: { user_id: '{"device_id":"d"}' },
      thinking: { type: "adaptive", display: "updates" },
      context_management: { edits: [{ type: "clear_thinking_20251015", keep: "all" }] },
      output_config: { effort: "high" },
      system: [
        { type: "text", text: "x-anthropic-billing-header: cc_version=2.1.332.ea8; cc_entrypoint=sdk-cli;" },
        { type: "text", text: "You are an agent.", cache_control: { type: "ephemeral" } },
      ],
      messages: [
        { role: "user", content: [{ type: "text", text: "List the files" }] },
        {
          role: "system",
          content: [{ type: "text", text: "# Environment", cache_control: { type: "ephemeral" } }],
        },
      ],
      tools: [
        { name: "Bash", description: "Runs", input_schema: { type: "object" }, eager_input_streaming: true },
        {
          name: "DeferredToolPlaceholder",
          description: "None",
          input_schema: { type: "object" },
          defer_loading: true,
        },
      ],
    }),
  });
  expect(response.status).toBe(200);
  expect(await response.text()).toContain("message_stop");
  expect(response.headers.get("x-ignored-parameters")).toContain("context_management");
  const { body } = await fake.conversation();
  expect(body.messages).toEqual([
    { role: "system", content: "You are an agent.\n\n# Environment" },
    { role: "user", content: "List the files" },
  ]);
  expect(body).toMatchObject({ think: "high", tools: [{ function: { name: "Bash" } }] });
});

const imageConversation = [
  question,
  {
    role: "assistant" as const,
    content: [{ type: "tool_use" as const, id: "toolu_1", name: "Read", input: {} }],
  },
  {
    role: "user" as const,
    content: [
      {
        type: "tool_result" as const,
        tool_use_id: "toolu_1",
        content: [
          {
            type: "image" as const,
            source: { type: "base64" as const, media_type: "image/png" as const, data: "AAAA" },
          },
        ],
      },
    ],
  },
];

test("replaces an image in a tool result with a note if the model has no vision", async () => {
  const { fake, anthropic } = await start();
  const request = { model: "m", max_tokens: 9, messages: imageConversation };
  await anthropic.messages.create(request);
  expect((await fake.conversation()).body.messages.at(-1)).toEqual({
    role: "tool",
    content: "[An image was left out: the model cannot see images.]",
    tool_call_id: "toolu_1",
    tool_name: "Read",
  });
  const other = await start();
  other.fake.capabilities = ["completion", "vision"];
  await other.anthropic.messages.create(request);
  expect((await other.fake.conversation()).body.messages.at(-1)?.images).toEqual(["AAAA"]);
});

test("rejects an image in the last message if the model has no vision, but not in an earlier one", async () => {
  const { fake, anthropic } = await start();
  const image = imageConversation[2]?.content.at(0) as { content: readonly object[] };
  const imageMessage = { role: "user" as const, content: [...image.content] as never };
  const request = { model: "m", max_tokens: 9, messages: [imageMessage] };
  await expect(anthropic.messages.create(request)).rejects.toThrow("cannot see images");
  await anthropic.messages.create({ ...request, messages: [imageMessage, question] });
  expect((await fake.conversation()).body.messages[0]).toEqual({
    role: "user",
    content: "[An image was left out: the model cannot see images.]",
  });
});
