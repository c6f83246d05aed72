import { z } from "zod";

const tags = z.object({ models: z.array(z.object({ name: z.string() })).nullish() });

/**
 * Which of the models a running server does not have: somebody removed them, or they were never pulled. None when it
 * does not answer, as before the first update. Nothing in Pulumi's state could tell: a command is never read back.
 */
export async function missingModels(
  serverUrl: string,
  names: readonly string[],
): Promise<ReadonlySet<string>> {
  try {
    const response = await fetch(`${serverUrl}/api/tags`, { signal: AbortSignal.timeout(1_000) });
    const installed = new Set(tags.parse(await response.json()).models?.map(({ name }) => name));
    return new Set(names.filter((name) => !installed.has(name)));
  } catch {
    return new Set();
  }
}
