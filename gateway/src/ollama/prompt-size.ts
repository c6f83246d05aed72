// Typical length of a token.
const BYTES_PER_TOKEN = 4;

// The longest token of a common vocabulary: 128 spaces in Llama 3.
const MAX_BYTES_PER_TOKEN = 128;

// Rough average: models use 256 (Gemma) to 1,600 (Qwen, LLaVA) tokens per image.
const TOKENS_PER_IMAGE = 800;

interface Message {
  readonly content?: unknown;
  readonly thinking?: unknown;
  readonly tool_calls?: unknown;
  readonly images?: unknown;
}

/** Fields of generation and embedding requests to Ollama that count towards the prompt. */
interface Body extends Message {
  readonly messages?: unknown;
  readonly prompt?: unknown;
  readonly system?: unknown;
  readonly suffix?: unknown;
  readonly template?: unknown;
  readonly tools?: unknown;
  readonly input?: unknown;
  /** Token IDs. */
  readonly context?: unknown;
}

/** Estimates the number of prompt tokens of a request; at least 1. */
export function estimatePromptTokens(body: object): number {
  const { messages, input, context, prompt, system, suffix, template, tools } = body as Body;
  let bytes = bytesOf(prompt) + bytesOf(system) + bytesOf(suffix) + bytesOf(template) + bytesOf(tools);
  let tokens = imageTokens(body) + countOf(context);
  for (const text of textsOf(input)) bytes += bytesOf(text);
  for (const message of messagesOf(messages)) {
    bytes += bytesOf(message.content) + bytesOf(message.thinking) + bytesOf(message.tool_calls);
    tokens += imageTokens(message);
  }
  return Math.max(1, tokens + Math.ceil(bytes / BYTES_PER_TOKEN));
}

/**
 * Lower bound for the number of tokens in the longest prompt or text of a request. Uses string lengths only, as a
 * string has at least as many bytes as UTF-16 units.
 */
export function minPromptTokens(body: object): number {
  const { messages, prompt, system, suffix, template, tools, input } = body as Body;
  let promptLength =
    lengthOf(prompt) + lengthOf(system) + lengthOf(suffix) + lengthOf(template) + textLength(tools);
  for (const { content, thinking, tool_calls: calls } of messagesOf(messages)) {
    promptLength += lengthOf(content) + lengthOf(thinking) + textLength(calls);
  }
  const longest = textsOf(input).reduce<number>((max, text) => Math.max(max, lengthOf(text)), promptLength);
  return Math.ceil(longest / MAX_BYTES_PER_TOKEN);
}

/** Total length of all strings in a value. */
function textLength(value: unknown): number {
  if (typeof value !== "object" || value === null) return lengthOf(value);
  let sum = 0;
  // `Object.keys` would take twice as long, and `for in` over an array several times as long.
  if (Array.isArray(value)) for (const element of value as unknown[]) sum += textLength(element);
  else for (const key in value) sum += textLength((value as Record<string, unknown>)[key]);
  return sum;
}

function messagesOf(messages: unknown): readonly Message[] {
  if (!Array.isArray(messages)) return [];
  return (messages as (Message | null)[]).filter((each) => typeof each === "object" && each !== null);
}

function textsOf(input: unknown): readonly unknown[] {
  return Array.isArray(input) ? (input as unknown[]) : [input];
}

function bytesOf(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  return typeof value === "object" && value !== null ? Buffer.byteLength(JSON.stringify(value)) : 0;
}

function imageTokens({ images }: Message): number {
  return countOf(images) * TOKENS_PER_IMAGE;
}

function countOf(value: unknown): number {
  return Array.isArray(value) ? value.length : 0;
}

function lengthOf(value: unknown): number {
  return typeof value === "string" ? value.length : 0;
}
