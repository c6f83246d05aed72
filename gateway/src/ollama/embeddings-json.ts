import { setImmediate as yieldToEventLoop } from "node:timers/promises";
import { ApiError } from "../errors.ts";
import type { OllamaEmbeddings } from "./types.ts";

// Bytes to parse per turn of the event loop; takes a few milliseconds.
const TURN_BYTES = 256 * 1024;

// In Ollama's response only the model's name precedes the list.
const HEAD_BYTES = 64 * 1024;
const LIST = /"embeddings"\s*:\s*\[/;

const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

export interface EmbeddingsJson {
  /** The response without the vectors. */
  readonly counts: Omit<OllamaEmbeddings, "embeddings">;
  /** The encoded vectors. */
  readonly vectors: readonly Buffer[];
}

/**
 * Parses Ollama's embeddings vector by vector and yields to the event loop in between: 2,048 vectors are over 20 MB of
 * JSON, which would block it for 0.3 s.
 *
 * @param encode encodes a vector, given its numbers and their JSON
 * @throws ApiError `upstream_failed` if the response is not JSON
 */
export async function readEmbeddings(
  json: Buffer,
  encode: (vector: readonly number[], text: Buffer) => Buffer,
): Promise<EmbeddingsJson> {
  try {
    const list = LIST.exec(json.toString("latin1", 0, HEAD_BYTES));
    if (list === null) return { counts: JSON.parse(json.toString()) as OllamaEmbeddings, vectors: [] };
    const start = list.index + list[0].length;
    const vectors: Buffer[] = [];
    let expectsVector = true;
    let turnEnd = start + TURN_BYTES;
    for (let at = start; ; at += 1) {
      const byte = json[at];
      if (byte === OPEN_BRACKET && expectsVector) {
        const end = json.indexOf(CLOSE_BRACKET, at) + 1;
        const text = json.subarray(at, end);
        vectors.push(encode(JSON.parse(text.toString("latin1")) as number[], text));
        expectsVector = false;
        at = end - 1;
        if (at < turnEnd) continue;
        await yieldToEventLoop();
        turnEnd = at + TURN_BYTES;
      } else if (byte === COMMA && !expectsVector) expectsVector = true;
      else if (byte === CLOSE_BRACKET && (!expectsVector || vectors.length === 0)) {
        const rest = `${json.toString("utf8", 0, start)}${json.toString("utf8", at)}`;
        return { counts: JSON.parse(rest) as OllamaEmbeddings, vectors };
      } else if (!isSpace(byte)) throw new SyntaxError("an unexpected character");
    }
  } catch {
    // No `cause`: the parser's message quotes the response.
    throw new ApiError("upstream_failed", { message: "Ollama sent a response that is not JSON." });
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
