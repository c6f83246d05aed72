import type { OllamaChatRequest } from "../../../gateway/src/ollama/types.ts";
import type { FakeOllama } from "./fake-ollama.ts";
import { type Step, last } from "./steps.ts";

/** The tool that the model calls, and its result. */
export const weatherTool = {
  name: "weather",
  description: "The weather in a city",
  schema: {
    type: "object" as const,
    properties: { city: { type: "string" as const } },
    required: ["city"],
    additionalProperties: false,
  },
  run: ({ city }: { readonly city: string }): string => `Rain in ${city}`,
};

/** The model's response if the request has a schema. */
export const weatherObject = { city: "Oslo" };

/** A minimal image, in base64. */
export const image =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/**
 * Makes every model of a fake Ollama one with thinking, tools and vision. It calls `weather` on each message of the user if
 * there is such a tool, and responds "It rains." to the result, or at once without the tool.
 */
export function playWeather(fake: FakeOllama): void {
  fake.capabilities = ["completion", "tools", "thinking", "vision"];
  fake.respondTo((body) => {
    // Embeddings and completions have no conversation.
    if ("input" in body) return undefined;
    if ("prompt" in body) return generated(body.stream);
    const message = weatherReply(body);
    return body.stream ? streamed(message) : [end({ role: "assistant", ...message })];
  });
}

interface Reply {
  readonly thinking?: string;
  readonly content: string;
  readonly tool_calls?: readonly object[];
}

function weatherReply({ messages, tools, format, think }: OllamaChatRequest): Reply {
  const thinks = think !== undefined && think !== false;
  const thinking = (text: string) => (thinks ? { thinking: text } : {});
  const hasTool = tools?.some((tool) => JSON.stringify(tool).includes('"weather"'));
  const calls = [{ function: { name: "weather", arguments: weatherObject } }];
  if (format !== undefined && format !== "") {
    // The gateway requires a tool call by a format, so the model writes it as an object.
    const text = JSON.stringify(format);
    if (!text.includes('"arguments"')) return { content: JSON.stringify(weatherObject) };
    const name = /"(weather|json)"/.exec(text)?.[1];
    return { content: JSON.stringify({ name, arguments: weatherObject }) };
  }
  if (hasTool === true && messages.at(-1)?.role === "user")
    return { ...thinking("Where?"), content: "", tool_calls: calls };
  return { ...thinking("So."), content: "It rains." };
}

// Some clients require all fields that Ollama sends.
const origin = { model: "m", created_at: "2025-01-02T03:04:05Z" };

function streamed({ thinking = "", content, tool_calls: calls }: Reply): Step[] {
  const line = (message: object): Step => ({
    line: { ...origin, message: { role: "assistant", content: "", ...message }, done: false },
  });
  return [
    ...halves(thinking).map((half) => line({ thinking: half })),
    ...halves(content).map((half) => line({ content: half })),
    ...(calls === undefined ? [] : [line({ tool_calls: calls })]),
    end({ role: "assistant", content: "" }),
  ];
}

/** The steps of a completion, which has no `message`. */
function generated(stream: boolean): Step[] {
  const text = "It rains.";
  if (!stream) return [end(undefined, { response: text })];
  const lines = halves(text).map((response): Step => ({ line: { ...origin, response, done: false } }));
  return [...lines, end(undefined, { response: "" })];
}

function halves(text: string): string[] {
  const middle = Math.ceil(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)].filter((half) => half !== "");
}

function end(message: object | undefined, rest: object = {}): Step {
  return last({ ...origin, load_duration: 1_000_000, prompt_eval_duration: 2_000_000, message, ...rest });
}
