import * as z from "zod";
import { count, moment, text } from "./common.ts";

/** Result of one check. */
export const finding = () =>
  z.object({
    check: z.enum([
      "backend",
      "circuit_breaker",
      "required_model",
      "kept_loaded_model",
      "gpu",
      "key_file",
      "key_expiry",
      "memory",
      "clock",
      "usage_file",
      "shared_state",
    ]),
    level: z.enum(["ok", "warning", "error"]),
    subject: text.nullable().describe("The server, model, key or file concerned."),
    message: text.describe("What was found, in one sentence."),
    advice: text.nullable().describe("What to do, in one sentence."),
  });

/** `GET /admin/health` */
export const health = () =>
  z.object({
    at: moment,
    level: z.enum(["ok", "warning", "error"]).describe("The worst level of the findings."),
    findings: z
      .array(finding())
      .describe(
        "A key without the admin flag gets those about its models and its own expiry, and a summary for all servers.",
      ),
    gateway: z.object({
      version: text,
      started_at: moment,
      uptime_seconds: count,
      memory_bytes: count,
      memory_limit_bytes: count.nullable().describe("Of the container; null without a limit."),
    }),
  });

export type Finding = z.infer<ReturnType<typeof finding>>;
export type Health = z.infer<ReturnType<typeof health>>;
