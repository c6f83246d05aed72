import { ggufFile, type GgufValue, type Tensor } from "./gguf.ts";
import { anyString, calls, callTag, type Reply, replies, thoughtsBefore, type ToolName } from "./script.ts";

// A model whose next token depends only on the last one: every token has its own dimension, the attention and
// feed-forward layers add nothing, and the output matrix is a table of successors. The template (template.ts) ends each
// prompt with the token that begins the matching text. If a grammar excludes that text, the model continues byte by byte
// with likely JSON.

const WIDTH = 512;
const HEADS = 8;
const HEAD_WIDTH = 64;
const FEED_FORWARD = 32;
const CONTEXT = 131_072;
const EPSILON = 1e-6;

/** Token types of llama.cpp. */
const NORMAL = 1;
const CONTROL = 3;

const END = "<|end|>";

// So large that a less likely token never wins at the temperatures that clients set.
const STEP = 100;

/** The token that begins a text. */
export function stateToken(state: string): string {
  return `<|${state}|>`;
}

/**
 * The content of the model file.
 *
 * @param hasVision whether Ollama detects a vision model. There is no projector: images only reach the template.
 */
export function scriptedModel({ hasVision }: { readonly hasVision: boolean }): Buffer {
  const { tokens, kinds, next } = vocabulary();
  const count = tokens.length;
  if (count > WIDTH) throw new Error(`${count} tokens do not fit into ${WIDTH} dimensions`);
  const embedding = new Float32Array(count * WIDTH);
  const output = new Float32Array(count * WIDTH);
  for (let token = 0; token < count; token += 1) {
    embedding[token * WIDTH + token] = 1;
    // The norm before the output makes 1 out of WIDTH dimensions the root of WIDTH.
    for (const [follower, rank] of next(token))
      output[follower * WIDTH + token] = (rank * STEP) / Math.sqrt(WIDTH);
  }
  const zeros = (name: string, ...shape: number[]): Tensor => ({
    name,
    shape,
    values: new Float32Array(shape.reduce((product, length) => product * length, 1)),
  });
  const ones = (name: string): Tensor => ({ name, shape: [WIDTH], values: new Float32Array(WIDTH).fill(1) });
  const tensors: Tensor[] = [
    { name: "token_embd.weight", shape: [WIDTH, count], values: embedding },
    ones("output_norm.weight"),
    { name: "output.weight", shape: [WIDTH, count], values: output },
    ones("blk.0.attn_norm.weight"),
    zeros("blk.0.attn_q.weight", WIDTH, HEADS * HEAD_WIDTH),
    zeros("blk.0.attn_k.weight", WIDTH, HEAD_WIDTH),
    zeros("blk.0.attn_v.weight", WIDTH, HEAD_WIDTH),
    zeros("blk.0.attn_output.weight", HEADS * HEAD_WIDTH, WIDTH),
    ones("blk.0.ffn_norm.weight"),
    zeros("blk.0.ffn_gate.weight", WIDTH, FEED_FORWARD),
    zeros("blk.0.ffn_up.weight", WIDTH, FEED_FORWARD),
    zeros("blk.0.ffn_down.weight", FEED_FORWARD, WIDTH),
  ];
  const metadata: Record<string, GgufValue> = {
    "general.architecture": { string: "llama" },
    "general.name": { string: "scripted" },
    "llama.block_count": { uint32: 1 },
    "llama.context_length": { uint32: CONTEXT },
    "llama.embedding_length": { uint32: WIDTH },
    "llama.feed_forward_length": { uint32: FEED_FORWARD },
    "llama.attention.head_count": { uint32: HEADS },
    "llama.attention.head_count_kv": { uint32: 1 },
    "llama.attention.layer_norm_rms_epsilon": { float32: EPSILON },
    "llama.rope.dimension_count": { uint32: HEAD_WIDTH },
    "llama.vocab_size": { uint32: count },
    ...(hasVision && { "llama.vision.block_count": { uint32: 1 } }),
    "tokenizer.ggml.model": { string: "gpt2" },
    "tokenizer.ggml.pre": { string: "gpt-2" },
    "tokenizer.ggml.tokens": { strings: tokens },
    "tokenizer.ggml.token_type": { int32s: kinds },
    "tokenizer.ggml.merges": { strings: [] },
    "tokenizer.ggml.bos_token_id": { uint32: tokens.indexOf(END) },
    "tokenizer.ggml.eos_token_id": { uint32: tokens.indexOf(END) },
  };
  return ggufFile(metadata, tensors);
}

/** The texts by state, in pieces. */
function texts(): readonly (readonly [Reply | ToolName, readonly string[]])[] {
  const textReplies = (Object.keys(replies) as Reply[]).map((reply) => [reply, replies[reply]] as const);
  const toolCalls = (Object.keys(calls) as ToolName[]).map(
    (name) =>
      [name, [`${callTag}\n{"name": "${name}", "arguments": ${JSON.stringify(calls[name])}}`]] as const,
  );
  return [...textReplies, ...toolCalls];
}

interface Vocabulary {
  readonly tokens: readonly string[];
  readonly kinds: readonly number[];
  /** The successors of a token with their ranks; the highest rank wins. */
  readonly next: (token: number) => Iterable<readonly [number, number]>;
}

function vocabulary(): Vocabulary {
  const tokens = Array.from({ length: 256 }, (_, byte) => byteLetter(byte));
  const kinds = tokens.map(() => NORMAL);
  const chains = new Map<number, number>();
  const add = (text: string, kind: number): number => {
    kinds.push(kind);
    return tokens.push(text) - 1;
  };
  const end = add(END, CONTROL);
  const chain = (first: number, followers: readonly number[]): void => {
    for (const [i, token] of followers.entries()) chains.set(followers[i - 1] ?? first, token);
  };
  // Each piece is a token, so that the last token identifies the text and the position in it.
  const addPiece = (piece: string): number => {
    const text = Array.from(Buffer.from(piece), byteLetter).join("");
    if (tokens.includes(text)) throw new Error(`two texts have the piece "${piece}"`);
    return add(text, NORMAL);
  };
  for (const [state, pieces] of texts()) {
    const reply = [...pieces.map(addPiece), end];
    chain(add(stateToken(state), CONTROL), reply);
    const [begin, finish] = thoughtsBefore(state);
    const thoughts = [`<think>${begin}`, `${finish}</think>`].map(addPiece);
    chain(add(stateToken(`think-${state}`), CONTROL), [...thoughts, ...reply]);
  }
  return {
    tokens,
    kinds,
    next(token) {
      const ranks = new Map<number, number>();
      const bytes = token < 256 ? likelyAfter(String.fromCharCode(token)) : likelyAfter(":");
      for (const [rank, byte] of bytes) ranks.set(byte, rank);
      ranks.set(end, 60);
      const follower = chains.get(token);
      if (follower !== undefined) ranks.set(follower, 70);
      return ranks;
    },
  };
}

/** The character that represents a byte in the vocabulary of GPT-2. */
function byteLetter(byte: number): string {
  const plain = (code: number) =>
    (code >= 33 && code <= 126) || (code >= 161 && code <= 172) || (code >= 174 && code <= 255);
  if (plain(byte)) return String.fromCodePoint(byte);
  let shifted = 256;
  for (let each = 0; each < byte; each += 1) if (!plain(each)) shifted += 1;
  return String.fromCodePoint(shifted);
}

/** The likely bytes after a character in JSON, as [rank, byte]. */
function likelyAfter(character: string): [number, number][] {
  const letters = Object.fromEntries(
    Array.from(anyString, (letter, i) => [letter, anyString[i + 1] ?? '"'] as const),
  );
  const order =
    {
      '"': `${anyString[0] ?? ""}:}],`,
      "{": '"}',
      "[": '"{t1[]',
      ",": '"{t1',
      ":": '"{t1[n',
    }[character] ?? `${letters[character] ?? ""}"}],`;
  const ranked = Array.from(new Set(`${order}"tfn10`), (each, i): [number, number] => [
    50 - i,
    each.charCodeAt(0),
  ]);
  const others = Array.from({ length: 26 }, (_, i): [number, number] => [20 - i * 0.2, 97 + i]);
  return [...others, ...ranked];
}
