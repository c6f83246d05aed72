import { z } from "zod";

/** What Ollama lists at /api/tags. */
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

/** The models that a response to /api/tags lists. */
export function parseModelList(value: unknown): InstalledModel[] {
  return modelList.parse(value).models ?? [];
}
