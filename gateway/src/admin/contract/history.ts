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
const nullable = z.array(amount.nullable()).describe("null if nothing was measured.");

/** `GET /admin/history`. Every array has one value per point, oldest first. */
export const history = () =>
  z.object({
    interval_seconds: count,
    at: z.array(z.int()).describe("End of each interval, as a Unix timestamp in seconds."),
    requests: counts.describe("Finished requests, without probes and the admin API."),
    errors: z
      .object(
        Object.fromEntries(errorKinds.map((kind) => [kind, counts])) as Record<ErrorKind, typeof counts>,
      )
      .describe("Failed requests, by kind of error."),
    generated_tokens_per_second: amounts,
    prompt_tokens_per_second: amounts,
    first_token_p50_ms: nullable,
    first_token_p95_ms: nullable,
    queue_p50_ms: nullable,
    queue_p95_ms: nullable,
    in_flight: counts.describe("Requests with a slot at the end of the interval."),
    queued: counts.describe("Queued requests at the end of the interval."),
    memory_bytes: counts.describe("Resident memory of the gateway."),
    loads: counts.describe("Finished model loads."),
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
      .describe("The last 100 loads of the caller's models, oldest first."),
  });

export type History = z.infer<ReturnType<typeof history>>;
