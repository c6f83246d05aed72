// What a token of a text usually has.
const BYTES_PER_TOKEN = 4;

// What a model reads for an image, more or less: 256 (Gemma) to 1,600 (Qwen, LLaVA) tokens.
const TOKENS_PER_IMAGE = 800;

interface Message {
  readonly content?: unknown;
  readonly thinking?: unknown;
  readonly tool_calls?: unknown;
  readonly images?: unknown;
}

/** What may be in the body of a generating or embedding request to Ollama. */
interface Body extends Message {
  readonly messages?: unknown;
  readonly prompt?: unknown;
  readonly system?: unknown;
  readonly suffix?: unknown;
  readonly template?: unknown;
  readonly tools?: unknown;
  readonly input?: unknown;
  /** Token ids. */
  readonly context?: unknown;
}

/** About how many tokens Ollama will read for a request; at least one. */
export function estimatePromptTokens(body: object): number {
  const { messages, input, context, prompt, system, suffix, template, tools } = body as Body;
  let bytes = bytesOf(prompt) + bytesOf(system) + bytesOf(suffix) + bytesOf(template) + bytesOf(tools);
  let tokens = imageTokens(body) + lengthOf(context);
  for (const text of Array.isArray(input) ? input : [input]) bytes += bytesOf(text);
  for (const message of Array.isArray(messages) ? (messages as (Message | null)[]) : []) {
    if (typeof message !== "object" || message === null) continue;
    bytes += bytesOf(message.content) + bytesOf(message.thinking) + bytesOf(message.tool_calls);
    tokens += imageTokens(message);
  }
  return Math.max(1, tokens + Math.ceil(bytes / BYTES_PER_TOKEN));
}

function bytesOf(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  return typeof value === "object" && value !== null ? Buffer.byteLength(JSON.stringify(value)) : 0;
}

function imageTokens({ images }: Message): number {
  return lengthOf(images) * TOKENS_PER_IMAGE;
}

function lengthOf(value: unknown): number {
  return Array.isArray(value) ? value.length : 0;
}
