import * as z from "zod";
import type { UnaryRequest } from "../../ollama/types.ts";
import { ignored } from "../common/parameters.ts";
import { unsupported } from "../common/validation.ts";
import { extensions, modelName } from "../openai-chat/schema.ts";
import { textsIn, tokenIds } from "../common/token-ids.ts";

/** Maximum number of texts per embedding request, in every API. */
export const MAX_EMBED_INPUTS = 2048;

/** The body of `POST /v1/embeddings`. */
export const embeddingsSchema = z.strictObject({
  model: modelName,
  input: z.union([z.string().min(1), z.array(z.string().min(1)).min(1).max(MAX_EMBED_INPUTS), ...tokenIds]),
  encoding_format: z.enum(["float", "base64"]).nullish(),
  dimensions: z.int().min(1).nullish(),
  user: ignored,
  task_type: unsupported("Ollama embeds every text alike"),
  ...extensions,
});

type EmbeddingsRequest = z.output<typeof embeddingsSchema>;

/** @throws ApiError */
export function toOllamaEmbed(request: EmbeddingsRequest): UnaryRequest {
  const options = { ...request.options, ...(request.num_ctx == null ? {} : { num_ctx: request.num_ctx }) };
  return {
    method: "POST",
    path: "/api/embed",
    model: request.model,
    body: {
      model: request.model,
      input: typeof request.input === "string" ? request.input : textsIn(request.input, "input"),
      // False rejects a text longer than the context instead of silently truncating it.
      truncate: request.truncate === true,
      ...(request.dimensions == null ? {} : { dimensions: request.dimensions }),
      ...(request.keep_alive == null ? {} : { keep_alive: request.keep_alive }),
      ...(Object.keys(options).length === 0 ? {} : { options }),
    },
  };
}

/** Returns an encoder of vectors: Ollama's JSON unchanged, or a base64 string. */
export function vectorEncoder({
  encoding_format: format,
}: EmbeddingsRequest): (vector: readonly number[], text: Buffer) => Buffer {
  return format === "base64"
    ? (vector) => Buffer.from(`"${toBase64(vector)}"`, "latin1")
    : (_vector, text) => text;
}

/** Assembles the response from vectors that are already JSON. */
export function toEmbeddingsJson(
  { model }: EmbeddingsRequest,
  vectors: readonly Buffer[],
  tokens = 0,
): Buffer {
  const pieces = vectors.flatMap((vector, index) => [
    Buffer.from(`${index === 0 ? "" : ","}{"object":"embedding","index":${index},"embedding":`),
    vector,
    CLOSING_BRACE,
  ]);
  const usage = { prompt_tokens: tokens, total_tokens: tokens };
  return Buffer.concat([
    Buffer.from('{"object":"list","data":['),
    ...pieces,
    Buffer.from(`],"model":${JSON.stringify(model)},"usage":${JSON.stringify(usage)}}`),
  ]);
}

const CLOSING_BRACE = Buffer.from("}");

/** 32-bit floats, little-endian on every machine. */
function toBase64(vector: readonly number[]): string {
  const bytes = Buffer.allocUnsafe(vector.length * Float32Array.BYTES_PER_ELEMENT);
  vector.forEach((value, index) => bytes.writeFloatLE(value, index * Float32Array.BYTES_PER_ELEMENT));
  return bytes.toString("base64");
}
