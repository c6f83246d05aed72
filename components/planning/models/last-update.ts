import { z } from "zod";
import { readOwnState } from "../own-state.ts";
import { parseRecord, type ModelRecord } from "../../config/models/model-record.ts";

const withMounts = z.object({ mounts: z.array(z.object({ source: z.string(), target: z.string() })) });

interface LastUpdate {
  /** The installed models, by name. */
  readonly records: ReadonlyMap<string, ModelRecord>;
  /** The server's volume of models; undefined if there was no server. */
  readonly volume: string | undefined;
}

/**
 * Reads what the last update installed from this stack's state.
 *
 * @param modelFolder where servers mount their models
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
