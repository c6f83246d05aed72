import { z } from "zod";
import type { ModelChanges, ModelConfig } from "./models.ts";

/** The output of a model's installation, which Pulumi keeps in its state. */
export const modelRecord = z.object({
  /** As Ollama lists it. */
  name: z.string(),
  /** SHA-256 of its manifest, as Ollama lists it. */
  digest: z.string(),
  /** Bytes. */
  size: z.number(),
  source: z.string(),
  /** SHA-256 of the source at that time: of the registry's manifest, or of the GGUF file. */
  sourceDigest: z.string(),
  /** Overridden parameters, template and system prompt; "" if it is the same as its source. */
  changes: z.string(),
  /** The last request to reinstall it that was carried out. */
  request: z.string().optional(),
});
export type ModelRecord = z.output<typeof modelRecord>;

/** Parses the record in a command's output; undefined if there is none. */
export function parseRecord(stdout: string | undefined): ModelRecord | undefined {
  try {
    return modelRecord.parse(JSON.parse(stdout ?? ""));
  } catch {
    return undefined;
  }
}

/** The overrides that a model's config has. */
export function changesOf({ parameters, template, system }: ModelConfig): ModelChanges {
  return {
    ...(parameters === undefined ? {} : { parameters }),
    ...(template === undefined ? {} : { template }),
    ...(system === undefined ? {} : { system }),
  };
}

/** Formats changes for a record. */
export function changesText(changes: ModelChanges): string {
  return Object.keys(changes).length === 0 ? "" : JSON.stringify(changes);
}
