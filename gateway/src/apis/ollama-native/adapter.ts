import * as z from "zod";
import { isInt64 } from "../../lib/json/exact-numbers.ts";
import { isLoadOnly } from "../../ollama/load-only.ts";
import type { GenerateRequest } from "../../ollama/types.ts";
import { messageWithOwnFieldNames, withOwnFieldNames } from "./field-names.ts";
import { checkTemplate } from "./template.ts";
import { MAX_MESSAGES, MAX_TOOLS, modelName } from "../openai-chat/schema.ts";
import type { StreamingResponse, ApiAdapter } from "../adapter.ts";
import { MAX_EMBED_INPUTS } from "../openai-embeddings/adapter.ts";
import { nativeFormat } from "../common/output-format.ts";
import { boundedOptions } from "../common/fatal-options.ts";
import { stops } from "../common/stops.ts";
import { serverOptions } from "../common/server-options.ts";
import { unsupported } from "../common/validation.ts";

/** An object of Ollama's API, with case-insensitive field names. */
function ollamaObject<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.preprocess(withOwnFieldNames, z.looseObject(shape));
}

const seed = z
  .unknown()
  .refine((value) => !JSON.isRawJSON(value) || isInt64(value), "expected an integer from -2^63 to 2^63 - 1")
  .optional();

const options = z
  .looseObject({
    ...serverOptions,
    ...boundedOptions,
    num_ctx: z.number().nullish(),
    seed,
    stop: stops.nullish(),
  })
  .nullish();

/**
 * The body of a generation request in Ollama's own format. Only what the gateway itself uses is validated; the rest is
 * left to Ollama, so that parameters of newer versions work.
 */
export const nativeSchema = ollamaObject({
  model: modelName,
  stream: z.boolean().nullish(),
  messages: z
    .array(z.preprocess(messageWithOwnFieldNames, z.looseObject({ images: z.array(z.string()).nullish() })))
    .max(MAX_MESSAGES)
    .nullish(),
  tools: z.array(z.unknown()).max(MAX_TOOLS).nullish(),
  images: z.array(z.string()).nullish(),
  options,
  // Ollama would respond with the rendered prompt: one line, up to a template's maximum output, and without `done`.
  _debug_render_only: unsupported("the gateway returns no prompts", (value) => value === false),
});

/** An object that names a model, also by Ollama's older field name. */
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

/** The body of `POST /api/embed`, and of the older `/api/embeddings` with `prompt`. */
export const nativeEmbedSchema = aboutModel({
  input: z.union([z.string(), z.array(z.string()).max(MAX_EMBED_INPUTS)]).nullish(),
  prompt: z.string().nullish(),
  options,
});

/**
 * Adapts a request in Ollama's own format. Keeps Ollama's defaults: a conversation that is too long is truncated.
 *
 * @throws ApiError for an unsupported format or template
 */
export function adaptNative(
  path: GenerateRequest["path"],
  request: z.output<typeof nativeSchema>,
): ApiAdapter {
  checkTemplate(request["template"], request);
  const { format, ignoredKeywords } = nativeFormat(request["format"]);
  // Ollama does not stream a pure load.
  const stream = isLoadOnly(request) ? false : (request.stream ?? true);
  const body = { ...request, stream, ...(format === undefined ? {} : { format }) };
  return {
    call: { path, body },
    ignoredKeywords,
    subject: path === "/api/chat" ? "messages" : "prompt",
    ...(path === "/api/chat" ? {} : { images: "images" }),
    buffered: () => {
      let lastLine = "";
      return {
        add(_event, line) {
          lastLine = line;
        },
        build: () => lastLine,
      };
    },
    streaming: () => passThrough,
  };
}

const passThrough: StreamingResponse = {
  contentType: "application/x-ndjson",
  write: (_event, line) => `${line}\n`,
  fail: (error) => `${JSON.stringify({ error: error.message })}\n`,
};
