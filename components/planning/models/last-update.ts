import { z } from "zod";
import { readOwnState } from "../own-state.ts";
import { parseRecord, type ModelRecord } from "../../config/models/model-record.ts";

const withMounts = z.object({ mounts: z.array(z.object({ source: z.string(), target: z.string() })) });

interface LastUpdate {
  /** What it installed, by the model's name. */
  readonly records: ReadonlyMap<string, ModelRecord>;
  /** The volume that the server had for them; undefined when there was no server. */
  readonly volume: string | undefined;
}

/**
 * What the last update did about models.
 *
 * @param modelFolder where servers have their models
 */
export async function readLastUpdate(modelFolder: string): Promise<LastUpdate> {
  const records = new Map<string, ModelRecord>();
  let volume: string | undefined;
  for (const [, outputs] of await readOwnState()) {
    const { stdout } = outputs;
    const record = typeof stdout === "string" ? parseRecord(stdout) : undefined;
    if (record !== undefined) records.set(record.name, record);
    const { mounts = [] } = withMounts.safeParse(outputs).data ?? {};
    volume ??= mounts.find(({ target }) => target === modelFolder)?.source;
  }
  return { records, volume };
}
