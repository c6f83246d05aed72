import * as z from "zod";
import { amount, count, moment, text } from "./common.ts";

export const finishedRequest = () =>
  z.object({
    id: text,
    request_id: text,
    trace_id: text.nullable(),
    route: text,
    key: text.nullable(),
    model: text.nullable(),
    backend: text.nullable().describe("null for a key without the admin flag."),
    stream: z.boolean().nullable(),
    status: count.describe(
      "499 if the client disconnected or the request was cancelled before a status was sent; 0 if none was sent.",
    ),
    started_at: moment,
    total_ms: amount,
    phases: z
      .object({ queue_ms: amount, load_ms: amount, prompt_ms: amount, generate_ms: amount })
      .describe("The last two as reported by Ollama, or as observed by the gateway for an aborted request."),
    first_token_ms: amount.nullable(),
    prompt_tokens: count.nullable(),
    generated_tokens: count.nullable(),
    tokens_per_second: amount.nullable().describe("Of generation only."),
    error: z
      .object({
        code: text,
        message: text,
        message_hidden: z
          .boolean()
          .describe(
            "Whether the message is the general one of the error code, because the client's may quote the conversation. " +
              "The key that sent the request sees the original, as does every viewer with LOG_TEXT=on.",
          ),
        param: text.nullable(),
      })
      .nullable(),
    text: z
      .object({ prompt: text, response: text, cut: z.boolean() })
      .nullable()
      .describe("Only with LOG_TEXT=on; both truncated to 16,384 characters. The prompt is JSON."),
  });

/** `GET /admin/requests`; the event `request` has one of them. */
export const finishedRequests = () =>
  z.object({
    requests: z.array(finishedRequest()).describe("Newest first."),
    kept: count.describe(
      "Number of remembered requests that the caller may see; the gateway remembers 500 of all keys.",
    ),
  });

/** Parameters of `GET /admin/requests`. */
export const finishedRequestsQuery = z.object({
  key: text.max(64).optional().describe("Name of a key; only admins may name other keys than their own."),
  model: text.max(256).optional().describe("Name of a model; `m` is `m:latest`."),
  status: z
    .string()
    .regex(/^(ok|error|\d{1,3}|[a-z_]{1,64})$/)
    .optional()
    .describe("`ok`, `error`, a status such as 503, or an error code such as queue_full."),
  limit: z
    .string()
    .regex(/^\d{1,4}$/)
    .optional()
    .describe("Maximum number of requests. Default: 100, maximum: 500."),
});

/** `POST /admin/requests/{id}/cancel` */
export const cancelled = () => z.object({ id: text, cancelled: z.literal(true) });

export type FinishedRequest = z.infer<ReturnType<typeof finishedRequest>>;
export type FinishedRequests = z.infer<ReturnType<typeof finishedRequests>>;
