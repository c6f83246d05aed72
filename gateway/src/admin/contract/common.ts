import * as z from "zod";

export const count = z.int().min(0);
export const amount = z.number().min(0);
export const text = z.string();

/** ISO 8601, UTC. */
export const moment = z.iso.datetime();

/** Phase of a request in flight. */
export const phase = z
  .enum(["queued", "loading", "prompt", "generating"])
  .describe(
    "A buffered request stays in `prompt` until its response is complete: Ollama does not report when it begins to generate.",
  );

export type Phase = z.infer<typeof phase>;
