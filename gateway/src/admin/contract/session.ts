import * as z from "zod";
import { moment, text } from "./common.ts";

/** `GET /admin/session` */
export const session = () =>
  z.object({
    keys_configured: z.boolean().describe("Whether requests need an API key."),
    key: text.nullable().describe("Name of the caller's key."),
    rights: z.object({
      admin: z
        .boolean()
        .describe(
          "Whether the caller may see and cancel the requests of all keys: with an admin key, or if no keys are " +
            "configured.",
        ),
    }),
    version: text.describe("Version of the gateway."),
    log_text: z
      .boolean()
      .describe("Whether prompts and responses are logged, and shown with finished requests."),
    started_at: moment,
    now: moment.describe("The gateway's clock."),
  });

export type Session = z.infer<ReturnType<typeof session>>;
