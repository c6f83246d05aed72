import { EngineError, queryEngine } from "./docker-cli.ts";

/** The id of the image that a name or an id refers to; undefined if the engine does not have it. */
export async function imageId(reference: string): Promise<string | undefined> {
  try {
    return (await queryEngine(["image", "inspect", "--format", "{{.Id}}", reference])).trim();
  } catch (error) {
    if (error instanceof EngineError && /no such image/i.test(error.message)) return undefined;
    throw error;
  }
}
