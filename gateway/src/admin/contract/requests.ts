import * as z from "zod";
import { amount, count, moment, text } from "./common.ts";

export const finishedRequest = z.object({
  id: text,
  request_id: text,
  trace_id: text.nullable(),
  route: text,
  key: text.nullable(),
  model: text.nullable(),
  backend: text.nullable().describe("null for a key without the admin flag."),
  stream: z.boolean().nullable(),
  status: count.describe(
    "499: the client left, or the request was cancelled, before a status was sent. 0: none was.",
  ),
  started_at: moment,
  total_ms: amount,
  phases: z
    .object({ queue_ms: amount, load_ms: amount, prompt_ms: amount, generate_ms: amount })
    .describe(
      "The last two as Ollama reports them; of a request that was cut short, as the gateway saw them.",
    ),
  first_token_ms: amount.nullable(),
  prompt_tokens: count.nullable(),
  generated_tokens: count.nullable(),
  tokens_per_second: amount.nullable().describe("Of the generation."),
  error: z
    .object({
      code: text,
      message: text,
      message_hidden: z
        .boolean()
        .describe(
          "The message is the error's general one, because the client's may quote the conversation. The key that " +
            "sent the request sees it, and with LOG_TEXT=on every caller who sees the request.",
        ),
      param: text.nullable(),
    })
    .nullable(),
  text: z
    .object({ prompt: text, response: text, cut: z.boolean() })
    .nullable()
    .describe("Only with LOG_TEXT=on; each of the two is cut to 16,384 characters. The prompt is JSON."),
});

/** `GET /admin/requests`; the event `request` has one of them. */
export const finishedRequests = z.object({
  requests: z.array(finishedRequest).describe("Newest first."),
  kept: count.describe(
    "Finished requests that the gateway remembers of those the caller may see: 500 of all keys at most.",
  ),
});

/** Parameters of `GET /admin/requests`. */
export const finishedRequestsQuery = z.object({
  key: text.max(64).optional().describe("Name of a key; of other keys than the caller's for admins only."),
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
    .describe("How many at most; 100 by default, 500 at most."),
});

/** `POST /admin/requests/{id}/cancel` */
export const cancelled = z.object({ id: text, cancelled: z.literal(true) });

export type FinishedRequest = z.infer<typeof finishedRequest>;
export type FinishedRequests = z.infer<typeof finishedRequests>;
