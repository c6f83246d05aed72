/** A request as sent with curl. */
export interface CurlExample {
  readonly name: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  /** By default that of curl's `-d`. */
  readonly contentType?: string;
  readonly body?: string;
}

/** The models for the examples. */
export interface ExampleModels {
  readonly text: string;
  readonly vision: string;
  readonly embedding: string;
}

const FORM = "application/x-www-form-urlencoded";

// A red square of 8 by 8 pixels.
const IMAGE =
  "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEUlEQVR42mP4z8CAFTEMLQkAKP8/wc53yE8AAAAASUVORK5CYII=";

const QUESTION = "Why do cats purr?";

const weatherTool = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Reports the weather of a city",
    parameters: {
      type: "object",
      properties: { city: { type: "string", description: "Name of the city" } },
      required: ["city"],
    },
  },
};

const personSchema = {
  type: "object",
  properties: { age: { type: "integer" }, available: { type: "boolean" } },
  required: ["age", "available"],
};

const allOptions = {
  num_keep: 5,
  seed: 42,
  num_predict: 20,
  top_k: 20,
  top_p: 0.9,
  min_p: 0.0,
  typical_p: 0.7,
  repeat_last_n: 33,
  temperature: 0.8,
  repeat_penalty: 1.2,
  presence_penalty: 1.5,
  frequency_penalty: 1.0,
  penalize_newline: true,
  stop: ["\n", "user:"],
  numa: false,
  num_ctx: 1024,
  num_batch: 2,
  num_gpu: 1,
  main_gpu: 0,
  use_mmap: true,
  num_thread: 2,
};

/** A conversation with a tool's result, with comments, which JSON does not allow. */
const commented = (model: string): string => `{
  "model": "${model}",
  "messages": [
    {"role": "user", "content": "How is the weather in Oslo?"},
    // the model's message
    {"role": "assistant", "content": "", "tool_calls": [
      {"function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}
    ]},
    // the tool's result
    {"role": "tool", "content": "4 degrees", "tool_name": "get_weather"}
  ],
  "stream": false
}`;

/**
 * Requests of every kind in Ollama's API documentation that reads or generates, sent in the same way: with curl's `-d`,
 * whose content type is that of a form, unless the documentation sets another one.
 */
export function curlExamples({ text, vision, embedding }: ExampleModels): readonly CurlExample[] {
  const user = (content: string, more: object = {}): object => ({ role: "user", content, ...more });
  const post = (name: string, path: string, body: object | string, contentType = FORM): CurlExample => ({
    name,
    method: "POST",
    path,
    contentType,
    body: typeof body === "string" ? body : JSON.stringify(body, null, 2),
  });
  const get = (name: string, path: string): CurlExample => ({ name, method: "GET", path });
  const generate = (name: string, body: object, contentType?: string): CurlExample =>
    post(name, "/api/generate", { model: text, ...body }, contentType);
  const chat = (name: string, body: object, contentType?: string): CurlExample =>
    post(name, "/api/chat", { model: text, ...body }, contentType);
  const json = "application/json";
  return [
    generate("a prompt, streamed", { prompt: QUESTION }),
    generate("a prompt, buffered", { prompt: QUESTION, stream: false }),
    generate("a prompt with a suffix", {
      prompt: "def double(n):",
      suffix: "    return result",
      options: { temperature: 0 },
      stream: false,
    }),
    generate(
      "a prompt with a schema",
      { prompt: "Answer in JSON: Ada is 36 and busy.", stream: false, format: personSchema },
      json,
    ),
    generate("a prompt in JSON mode", { prompt: "Answer in JSON.", format: "json", stream: false }),
    generate("a prompt with an image", {
      model: vision,
      prompt: "What is on it?",
      stream: false,
      images: [IMAGE],
    }),
    generate("a raw prompt", { prompt: `[INST] ${QUESTION} [/INST]`, raw: true, stream: false }),
    generate("a prompt with a seed", { prompt: QUESTION, options: { seed: 123 } }),
    generate("a prompt with all options", { prompt: QUESTION, stream: false, options: allOptions }),
    generate("a load", {}),
    chat("a conversation, streamed", { messages: [user(QUESTION)] }),
    chat("a conversation with tools, streamed", {
      messages: [user("How is the weather in Oslo?")],
      tools: [weatherTool],
      stream: true,
    }),
    chat("a conversation, buffered", { messages: [user(QUESTION)], stream: false }),
    chat("a conversation with tools, buffered", {
      messages: [user("How is the weather in Oslo?")],
      tools: [weatherTool],
      stream: false,
    }),
    chat(
      "a conversation with a schema",
      {
        messages: [user("Answer in JSON: Ada is 36 and busy.")],
        stream: false,
        format: personSchema,
        options: { temperature: 0 },
      },
      json,
    ),
    chat("a conversation of several turns", {
      messages: [
        user(QUESTION),
        { role: "assistant", content: "To calm themselves." },
        user("And when they are happy?"),
      ],
    }),
    post("a conversation with comments in it", "/api/chat", commented(text)),
    chat("a conversation with an image", {
      model: vision,
      messages: [user("What is on it?", { images: [IMAGE] })],
    }),
    chat("a conversation with a seed", {
      messages: [user("Hello!")],
      options: { seed: 101, temperature: 0 },
    }),
    chat("a load by an empty conversation", { messages: [] }),
    post("model details", "/api/show", { model: text }),
    post("a text to embed", "/api/embed", { model: embedding, input: QUESTION }),
    post("texts to embed", "/api/embed", { model: embedding, input: [QUESTION, "Why do dogs bark?"] }),
    post("a text to embed, legacy route", "/api/embeddings", { model: embedding, prompt: QUESTION }),
    get("the models", "/api/tags"),
    get("the loaded models", "/api/ps"),
    get("the version", "/api/version"),
    generate("an image to generate", { model: "x/missing", prompt: QUESTION, width: 64, height: 64 }),
    generate("an unload", { keep_alive: 0 }),
    chat("an unload by an empty conversation", { messages: [], keep_alive: 0 }),
  ];
}

/** The structure of a response, without its text. */
export interface ResponseShape {
  readonly status: number;
  readonly type: string | null;
  /** The shapes of its first and its last line. */
  readonly lines: readonly unknown[];
}

/** Sends a request as curl does. */
export async function shapeOfResponse(url: string, example: CurlExample): Promise<ResponseShape> {
  const { method, path, contentType, body } = example;
  const response = await fetch(url + path, {
    method,
    headers: {
      "user-agent": "curl/8.14.1",
      ...(contentType === undefined ? {} : { "content-type": contentType }),
    },
    ...(body === undefined ? {} : { body }),
  });
  const lines = (await response.text()).split("\n").filter((line) => line !== "");
  const ends = [...new Set([lines[0] ?? "", lines.at(-1) ?? ""])];
  return {
    status: response.status,
    type: response.headers.get("content-type"),
    lines: ends.map((line) => shapeOf(JSON.parse(line) as unknown)),
  };
}

/** Measurements, which Ollama omits when they are zero, so two runs of one request may differ in them. */
const OMITTED_WHEN_ZERO = new Set([
  "total_duration",
  "load_duration",
  "prompt_eval_count",
  "prompt_eval_duration",
  "eval_count",
  "eval_duration",
]);

/** The types of a value's parts. A list has the type of its first element. */
function shapeOf(value: unknown, name = ""): unknown {
  // Text, thinking and calls depend on the model.
  if (name === "message") return "message";
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (typeof value !== "object" || value === null) return typeof value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !OMITTED_WHEN_ZERO.has(key))
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, part]) => [key, shapeOf(part, key)]),
  );
}
