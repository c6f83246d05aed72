// What a token of a text usually has.
const BYTES_PER_TOKEN = 4;

// The longest token of a common vocabulary: the 128 spaces of Llama 3's.
const MAX_BYTES_PER_TOKEN = 128;

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
  let tokens = imageTokens(body) + countOf(context);
  for (const text of textsOf(input)) bytes += bytesOf(text);
  for (const message of messagesOf(messages)) {
    bytes += bytesOf(message.content) + bytesOf(message.thinking) + bytesOf(message.tool_calls);
    tokens += imageTokens(message);
  }
  return Math.max(1, tokens + Math.ceil(bytes / BYTES_PER_TOKEN));
}

/**
 * How many tokens the longest prompt or text of a request has at the least. Looks at no character: a text has at least as
 * many bytes as UTF-16 units.
 */
export function leastPromptTokens(body: object): number {
  const { messages, prompt, system, suffix, template, tools, input } = body as Body;
  let ofPrompt =
    lengthOf(prompt) + lengthOf(system) + lengthOf(suffix) + lengthOf(template) + textLength(tools);
  for (const { content, thinking, tool_calls: calls } of messagesOf(messages)) {
    ofPrompt += lengthOf(content) + lengthOf(thinking) + textLength(calls);
  }
  const longest = textsOf(input).reduce<number>((most, text) => Math.max(most, lengthOf(text)), ofPrompt);
  return Math.ceil(longest / MAX_BYTES_PER_TOKEN);
}

/** Of all texts in a value. */
function textLength(value: unknown): number {
  if (typeof value !== "object" || value === null) return lengthOf(value);
  let sum = 0;
  // An array of the keys would take longer than the rest.
  for (const key in value) sum += textLength((value as Record<string, unknown>)[key]);
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
