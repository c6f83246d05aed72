import * as z from "zod";
import { amount, count, moment, text } from "./common.ts";

/** Categories of failures. */
export const errorKinds = [
  "invalid",
  "unauthorized",
  "rate_limited",
  "overloaded",
  "timeout",
  "upstream",
  "cancelled",
  "client_left",
  "internal",
] as const;

export type ErrorKind = (typeof errorKinds)[number];

const counts = z.array(count);
const amounts = z.array(amount);
const perhaps = z.array(amount.nullable()).describe("null where nothing was measured.");

/** `GET /admin/history`. Every array has one value per point, oldest first. */
export const history = z.object({
  interval_seconds: count,
  at: z.array(z.int()).describe("When each interval ended, in seconds since 1970."),
  requests: counts.describe("Requests that ended, probes and the admin API left out."),
  errors: z
    .object(Object.fromEntries(errorKinds.map((kind) => [kind, counts])) as Record<ErrorKind, typeof counts>)
    .describe("Requests that ended with an error, by kind."),
  generated_tokens_per_second: amounts,
  prompt_tokens_per_second: amounts,
  first_token_p50_ms: perhaps,
  first_token_p95_ms: perhaps,
  queue_p50_ms: perhaps,
  queue_p95_ms: perhaps,
  in_flight: counts.describe("Requests with a slot when the interval ended."),
  queued: counts.describe("Requests that waited when the interval ended."),
  memory_bytes: counts.describe("Resident memory of the gateway."),
  loads: counts.describe("Loads of models that ended."),
  load_events: z
    .array(
      z.object({
        at: moment.describe("When it ended."),
        model: text,
        backend: text.nullable().describe("null for a key without the admin flag."),
        milliseconds: amount,
        error: text.nullable().describe("Code of the error."),
      }),
    )
    .describe("The last 100 loads of models that the caller may use, oldest first."),
});

export type History = z.infer<typeof history>;
