import type * as z from "zod";
import { chatSchema } from "../apis/openai-chat/schema.ts";
import { completionsSchema } from "../apis/openai-completions/adapter.ts";
import { embeddingsSchema } from "../apis/openai-embeddings/adapter.ts";
import { countTokensSchema, messagesSchema } from "../apis/anthropic-messages/schema.ts";
import { namedModelSchema, nativeEmbedSchema, nativeSchema } from "../apis/ollama-native/adapter.ts";
import { opeaSchema } from "../apis/opea/adapter.ts";
import { responsesSchema } from "../apis/openai-responses/schema.ts";
import * as answers from "./response-schemas.ts";

/** What the document says of one route. */
export interface Operation {
  readonly summary: string;
  /** The schema that validates its body. */
  readonly body?: z.ZodType;
  /** The media type of a body that is passed on unread. */
  readonly passedOn?: "application/json" | "application/octet-stream";
  /** Its answer, as JSON; a string names another media type. Without it the status says all. */
  readonly answer?: z.ZodType | string;
  /** True: what was there already is 200, what was not 201. */
  readonly creates?: true;
  /** The media type it streams, when asked to. */
  readonly streams?: "text/event-stream" | "application/x-ndjson";
  /** An answer of its own that says no. */
  readonly otherwise?: readonly [status: number, answer: z.ZodType];
  /** True: it needs no key. */
  readonly open?: true;
}

const SSE = "text/event-stream";
const NDJSON = "application/x-ndjson";
const { ofOllama } = answers;

function forAdmins(summary: string, rest: Omit<Operation, "summary">): Operation {
  return { summary: `${summary}. Needs a key with the admin flag.`, ...rest };
}

const change = { passedOn: "application/json" } as const;
const longChange = { ...change, answer: ofOllama, streams: NDJSON } as const;

const opea: Operation = {
  summary:
    "A conversation in OPEA's form: OpenAI's, with messages as text or list, streamed unless told not to.",
  body: opeaSchema,
  answer: answers.chatCompletion,
  streams: SSE,
};

/** Every route, under its method and its pattern. */
export const operations: Readonly<Record<string, Operation>> = {
  "POST /v1/chat/completions": {
    summary: "A conversation in OpenAI's form.",
    body: chatSchema,
    answer: answers.chatCompletion,
    streams: SSE,
  },
  "POST /v1/completions": {
    summary: "A prompt, or several one after another, completed, in OpenAI's older form.",
    body: completionsSchema,
    answer: answers.completion,
    streams: SSE,
  },
  "POST /v1/responses": {
    summary:
      "A conversation in the format of OpenAI's Responses API. Stored for a while unless `store` is false.",
    body: responsesSchema,
    answer: answers.response,
    streams: SSE,
  },
  "GET /v1/responses/:id": { summary: "A stored response.", answer: answers.response },
  "DELETE /v1/responses/:id": { summary: "Deletes a stored response.", answer: answers.deletedResponse },
  "GET /v1/responses/:id/input_items": {
    summary:
      "The items that led to a stored response, newest first; the query parameters `order`, `limit` and `after` are " +
      "OpenAI's.",
    answer: answers.itemList,
  },
  "POST /v1/messages": {
    summary: "A conversation in Anthropic's form.",
    body: messagesSchema,
    answer: answers.message,
    streams: SSE,
  },
  "POST /v1/messages/count_tokens": {
    summary:
      "How many tokens the model reads for a conversation in Anthropic's form. The model reads it for that.",
    body: countTokensSchema,
    answer: answers.tokenCount,
  },
  "POST /v1/embeddings": {
    summary: "Embeddings of one or several texts, in OpenAI's form.",
    body: embeddingsSchema,
    answer: answers.embeddings,
  },
  "GET /v1/models": { summary: "The models that are present.", answer: answers.models },
  "GET /v1/models/*": { summary: "One model.", answer: answers.model },
  "POST /v1/example-service": opea,
  "POST /v1/chatqna": opea,
  "GET /v1/health_check": {
    summary: "What the service is, in OPEA's form.",
    answer: answers.healthCheck,
    open: true,
  },
  "GET /v1/statistics": {
    summary: "Latencies of the last completed answers of each route, in seconds, in OPEA's form.",
    answer: answers.statistics,
  },
  "POST /api/chat": {
    summary: "A conversation in Ollama's own form.",
    body: nativeSchema,
    answer: ofOllama,
    streams: NDJSON,
  },
  "POST /api/generate": {
    summary: "A prompt in Ollama's own form.",
    body: nativeSchema,
    answer: ofOllama,
    streams: NDJSON,
  },
  "POST /api/embed": {
    summary: "Embeddings in Ollama's own form.",
    body: nativeEmbedSchema,
    answer: ofOllama,
  },
  "POST /api/embeddings": {
    summary: "One embedding, in Ollama's older form.",
    body: nativeEmbedSchema,
    answer: ofOllama,
  },
  "GET /api/tags": { summary: "The models that are present, in Ollama's own form.", answer: ofOllama },
  "GET /api/ps": { summary: "The models that are loaded.", answer: ofOllama },
  "GET /api/version": { summary: "Ollama's version.", answer: ofOllama },
  "POST /api/show": { summary: "What a model is.", body: namedModelSchema, answer: ofOllama },
  "POST /api/pull": forAdmins("Pulls a model", longChange),
  "POST /api/push": forAdmins("Pushes a model", longChange),
  "POST /api/create": forAdmins("Makes a model", longChange),
  "POST /api/copy": forAdmins("Copies a model", change),
  "DELETE /api/delete": forAdmins("Deletes a model", change),
  "POST /api/blobs/:digest": forAdmins("Takes a blob of a model", {
    passedOn: "application/octet-stream",
    creates: true,
  }),
  "HEAD /api/blobs/:digest": forAdmins("Says whether a blob is there", {}),
  "GET /": { summary: "What Ollama's command line asks first.", answer: "text/plain" },
  "GET /health": { summary: "Whether the gateway is alive.", answer: answers.alive, open: true },
  "GET /accepting": {
    summary: "Whether an edge should send requests here.",
    answer: answers.accepting,
    otherwise: [503, answers.leaving],
    open: true,
  },
  "GET /ready": {
    summary:
      "Whether Ollama answers and has the required models; which it lacks is for admins where there are keys.",
    answer: answers.ready,
    otherwise: [503, answers.notReady],
    open: true,
  },
  "GET /metrics": {
    summary: "Metrics, in Prometheus' form. With several keys, for an admin's.",
    answer: "text/plain",
  },
  "GET /openapi.json": { summary: "This document.", answer: ofOllama },
};
