import { setImmediate as nextTurn } from "node:timers/promises";
import { ApiError } from "../errors.ts";
import type { OllamaEmbeddings } from "./types.ts";

// What is read in one turn of the event loop: a few milliseconds.
const TURN_BYTES = 256 * 1024;

// The list comes first in Ollama's response, after the model's name.
const HEAD_BYTES = 64 * 1024;
const LIST = /"embeddings"\s*:\s*\[/;

const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

export interface EmbeddingsJson {
  /** The response without its vectors. */
  readonly counts: Omit<OllamaEmbeddings, "embeddings">;
  /** What `encode` has made of each vector. */
  readonly vectors: readonly Buffer[];
}

/**
 * Reads Ollama's embeddings vector by vector, others being served in between: 2,048 vectors are 20 MB of JSON and more,
 * which take a parser 0.3 s in one go, and as much to write again.
 *
 * @param encode makes what is kept of a vector, of its numbers and their JSON
 *
 * @throws ApiError `upstream_failed` when the response is not JSON
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
    let isNext = true;
    let turnEnd = start + TURN_BYTES;
    for (let at = start; ; at += 1) {
      const byte = json[at];
      if (byte === OPEN_BRACKET && isNext) {
        const end = json.indexOf(CLOSE_BRACKET, at) + 1;
        const text = json.subarray(at, end);
        vectors.push(encode(JSON.parse(text.toString("latin1")) as number[], text));
        isNext = false;
        at = end - 1;
        if (at < turnEnd) continue;
        await nextTurn();
        turnEnd = at + TURN_BYTES;
      } else if (byte === COMMA && !isNext) isNext = true;
      else if (byte === CLOSE_BRACKET && (!isNext || vectors.length === 0)) {
        const rest = `${json.toString("utf8", 0, start)}${json.toString("utf8", at)}`;
        return { counts: JSON.parse(rest) as OllamaEmbeddings, vectors };
      } else if (!isSpace(byte)) throw new SyntaxError("an unexpected character");
    }
  } catch {
    // Not as a cause: the parser's message quotes the response.
    throw new ApiError("upstream_failed", { message: "Ollama sent an answer that is not JSON." });
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
