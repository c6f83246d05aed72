import { z } from "zod";

/** Ollama's response to /api/tags. */
const modelList = z.object({
  models: z
    .array(
      z.object({
        name: z.string(),
        /** SHA-256 of the manifest. */
        digest: z.string(),
        /** Bytes. */
        size: z.number(),
      }),
    )
    .nullish(),
});
export type InstalledModel = NonNullable<z.output<typeof modelList>["models"]>[number];

export function parseModelList(value: unknown): InstalledModel[] {
  return modelList.parse(value).models ?? [];
}
