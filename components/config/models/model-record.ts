import { z } from "zod";
import type { ModelChanges } from "./models.ts";

/** What installing a model printed: what Pulumi's state knows of it. */
export const modelRecord = z.object({
  /** As Ollama lists it. */
  name: z.string(),
  /** SHA-256 of its manifest, as Ollama lists it. */
  digest: z.string(),
  /** Bytes. */
  size: z.number(),
  /** Where it came from. */
  source: z.string(),
  /** SHA-256 of what the source was then: of the registry's manifest, or of the GGUF file. */
  sourceDigest: z.string(),
  /** What was changed of it: parameters, template, system; "" when it is as its source has it. */
  changes: z.string(),
  /** The last request to install it again that was followed. */
  request: z.string().optional(),
});
export type ModelRecord = z.output<typeof modelRecord>;

/** The record in a command's output; undefined when there is none. */
export function parseRecord(stdout: string | undefined): ModelRecord | undefined {
  try {
    return modelRecord.parse(JSON.parse(stdout ?? ""));
  } catch {
    return undefined;
  }
}

/** Changes as a record has them. */
export function changesText(changes: ModelChanges): string {
  return Object.keys(changes).length === 0 ? "" : JSON.stringify(changes);
}
