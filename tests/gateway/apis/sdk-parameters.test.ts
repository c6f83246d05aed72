import { expect, test } from "vitest";
import type * as z from "zod";
import { ApiError } from "../../../gateway/src/errors.ts";
import { chatSchema } from "../../../gateway/src/apis/openai-chat/schema.ts";
import { completionsSchema } from "../../../gateway/src/apis/openai-completions/adapter.ts";
import { embeddingsSchema } from "../../../gateway/src/apis/openai-embeddings/adapter.ts";
import { messagesSchema } from "../../../gateway/src/apis/anthropic-messages/schema.ts";
import { responsesSchema } from "../../../gateway/src/apis/openai-responses/schema.ts";
import { parseBody } from "../../../gateway/src/apis/common/validation.ts";
import { type Given, SdkTypes } from "../../../test-support/apis/sdk-types.ts";

function rejectionOf(schema: z.ZodType, body: unknown): string | undefined {
  try {
    parseBody(schema, body);
    return undefined;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return error.code === "unsupported_parameter" ? undefined : `${error.code}: ${error.message}`;
  }
}

const image = "data:image/png;base64,AAAA";

interface Body {
  readonly module: string;
  readonly type: string;
  readonly schema: z.ZodType;
  /** Parameters that are optional in the type, but required by the route. */
  readonly base?: object;
  readonly given?: Given;
}

const bodies: readonly Body[] = [
  {
    module: "openai/resources/chat/completions/completions",
    type: "ChatCompletionCreateParamsBase",
    schema: chatSchema,
    given: {
      url: image,
      "tool_choice<allowed_tools>.allowed_tools.tools[]": { type: "function", function: { name: "x" } },
    },
  },
  { module: "openai/resources/completions", type: "CompletionCreateParamsBase", schema: completionsSchema },
  { module: "openai/resources/embeddings", type: "EmbeddingCreateParams", schema: embeddingsSchema },
  {
    module: "openai/resources/responses/responses",
    type: "ResponseCreateParamsBase",
    schema: responsesSchema,
    base: { model: "m", input: "x" },
    given: {
      image_url: image,
      "input[]<item_reference>.type": "item_reference",
      "tool_choice<allowed_tools>.tools[]": { type: "function", name: "x" },
    },
  },
  {
    module: "@anthropic-ai/sdk/resources/messages/messages",
    type: "MessageCreateParamsBase",
    schema: messagesSchema,
  },
];

const sdks = new SdkTypes(bodies.map(({ module }) => module));

test.each(bodies)(
  "everything that $type of $module allows is accepted, or rejected as unsupported",
  ({ module, type, schema, base, given }) => {
    const samples = sdks.samplesOf(module, type, given);
    expect(new Set(samples.map(({ path }) => path))).toContain("model");
    // One path per error: an unknown variant causes the same error for everything in it.
    const rejected: Record<string, string> = {};
    for (const { path, value } of samples) {
      const rejection = rejectionOf(schema, { ...base, ...(value as object) });
      if (rejection !== undefined) rejected[rejection] ??= path;
    }
    expect(rejected).toEqual({});
  },
);
