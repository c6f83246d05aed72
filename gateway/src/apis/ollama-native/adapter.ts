import * as z from "zod";
import { isInt64 } from "../../lib/json/exact-numbers.ts";
import { isLoadOnly } from "../../ollama/load-only.ts";
import type { GenerateRequest } from "../../ollama/types.ts";
import { withOwnFieldNames } from "./field-names.ts";
import { checkTemplate } from "./template.ts";
import { MAX_MESSAGES, MAX_TOOLS, modelName } from "../openai-chat/schema.ts";
import type { StreamingResponse, ApiAdapter } from "../adapter.ts";
import { MAX_EMBED_INPUTS } from "../openai-embeddings/adapter.ts";
import { nativeFormat } from "../common/output-format.ts";
import { boundedOptions } from "../common/fatal-options.ts";
import { serverOptions } from "../common/server-options.ts";

/** An object of Ollama's, whatever the case of its fields' names. */
function ollamaObject<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.preprocess(withOwnFieldNames, z.looseObject(shape));
}

const seed = z
  .unknown()
  .refine((value) => !JSON.isRawJSON(value) || isInt64(value), "expected an integer from -2^63 to 2^63 - 1")
  .optional();

const options = z
  .looseObject({ ...serverOptions, ...boundedOptions, num_ctx: z.number().nullish(), seed })
  .nullish();

/**
 * The body of a generating request in Ollama's own form. Only what the gateway itself reads is looked at; the rest is
 * Ollama's to judge, so that a newer Ollama's parameters work.
 */
export const nativeSchema = ollamaObject({
  model: modelName,
  stream: z.boolean().nullish(),
  messages: z
    .array(ollamaObject({ images: z.array(z.string()).nullish() }))
    .max(MAX_MESSAGES)
    .nullish(),
  tools: z.array(z.unknown()).max(MAX_TOOLS).nullish(),
  images: z.array(z.string()).nullish(),
  options,
});

/** An object that names a model, by Ollama's older name for it too. */
function aboutModel<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.preprocess(withModel, z.looseObject({ model: modelName, ...shape }));
}

function withModel(value: unknown): unknown {
  const body = withOwnFieldNames(value) as Readonly<Record<string, unknown>> | null;
  const { model, name } = body ?? {};
  return (model === undefined || model === null || model === "") && name !== undefined
    ? { ...body, model: name }
    : body;
}

/** The body of a request about one model. */
export const namedModelSchema = aboutModel({ options });

/** The body of `POST /api/embed`, and of the older `/api/embeddings`, which has a `prompt`. */
export const nativeEmbedSchema = aboutModel({
  input: z.union([z.string(), z.array(z.string()).max(MAX_EMBED_INPUTS)]).nullish(),
  prompt: z.string().nullish(),
  options,
});

/**
 * A request in Ollama's own form. Its defaults are Ollama's own too: a conversation too long is cut.
 *
 * @throws ApiError for a format or a template that Ollama cannot take
 */
export function translateNative(
  path: GenerateRequest["path"],
  request: z.output<typeof nativeSchema>,
): ApiAdapter {
  checkTemplate(request["template"], request);
  const { format, ignoredKeywords } = nativeFormat(request["format"]);
  // Ollama streams nothing when it only loads.
  const stream = isLoadOnly(request) ? false : (request.stream ?? true);
  const body = { ...request, stream, ...(format === undefined ? {} : { format }) };
  return {
    call: { path, body },
    ignoredKeywords,
    subject: path === "/api/chat" ? "messages" : "prompt",
    ...(path === "/api/chat" ? {} : { images: "images" }),
    buffered: () => {
      let answer = "";
      return {
        add(_event, line) {
          answer = line;
        },
        build: () => answer,
      };
    },
    streaming: () => asItCame,
  };
}

const asItCame: StreamingResponse = {
  contentType: "application/x-ndjson",
  write: (_event, line) => `${line}\n`,
  fail: (error) => `${JSON.stringify({ error: error.message })}\n`,
};
