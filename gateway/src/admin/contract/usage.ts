import * as z from "zod";
import { count, moment, text } from "./common.ts";

const period = () =>
  z.object({
    requests: count.nullable().describe("Admitted requests."),
    prompt_tokens: count.nullable(),
    generated_tokens: count.nullable(),
    budget_used: count
      .nullable()
      .describe("Tokens that count against the budget, even without one; null without keys."),
    budget: count.nullable().describe("Token budget of the key; null for none."),
    resets_at: moment,
  });

const rate = () => z.object({ limit: count, left: count }).nullable().describe("null: no limit.");

const modelUsage = () =>
  z.object({
    model: text.describe("`unknown` stands for all names that Ollama has never responded with."),
    requests: count,
    prompt_tokens: count,
    generated_tokens: count,
    load_seconds: z.number().min(0),
  });

export const keyUsage = () =>
  z.object({
    key: text.nullable().describe("null stands for all clients, where no keys are configured."),
    admin: z.boolean(),
    disabled: z.boolean().describe("All keys of this name are disabled or have expired."),
    expires_at: moment.nullable().describe("When the last key of this name expires; null: never."),
    today: period(),
    this_month: period(),
    models: z
      .array(modelUsage())
      .describe("This month's requests by model; of all replicas, where they share a volume."),
    requests_per_minute: rate(),
    tokens_per_minute: rate(),
    concurrent: z.object({ limit: count.nullable(), used: count }),
  });

/** `GET /admin/usage` */
export const usage = () =>
  z.object({
    at: moment,
    day: text.describe("Such as 2026-11-28, UTC."),
    month: text.describe("Such as 2026-11, UTC."),
    persistent: z.boolean().describe("Whether the counts survive a restart of the gateway."),
    keys: z.array(keyUsage()).describe("A key without the admin flag sees its own."),
  });

export type ModelUsage = z.infer<ReturnType<typeof modelUsage>>;
export type KeyUsage = z.infer<ReturnType<typeof keyUsage>>;
export type Usage = z.infer<ReturnType<typeof usage>>;
