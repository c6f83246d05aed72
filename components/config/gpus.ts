import { z } from "zod";

// An index in nvidia-smi's list, a MIG instance ("0:1"), or a UUID.
const device = String.raw`(\d{1,3}(:\d{1,2})?|(GPU|MIG)-[0-9A-Za-z/-]+)`;
const allowed = `none, all, auto, or GPUs by number or UUID such as "0,1" or "GPU-3a23c669-...", each once`;

/** The GPUs for Ollama, with device ids as a list. */
export const gpus = z
  .string(allowed)
  .regex(new RegExp(`^(none|all|auto|${device}(,${device})*)$`), allowed)
  .transform((text): GpuChoice => {
    if (text === "none" || text === "all" || text === "auto") return text;
    return text.split(",");
  })
  .refine((choice) => typeof choice === "string" || new Set(choice).size === choice.length, allowed);

export type GpuChoice = "none" | "all" | "auto" | readonly string[];
