import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { parseRecord, type ModelRecord } from "../../config/model-record.ts";

const state = z.object({
  outputs: z.record(z.string(), z.object({ outputs: z.record(z.string(), z.unknown()) })),
});

const withMounts = z.object({ mounts: z.array(z.object({ source: z.string(), target: z.string() })) });

interface LastUpdate {
  /** What it installed, by the model's name. */
  readonly records: ReadonlyMap<string, ModelRecord>;
  /** The volume that the server had for them; undefined when there was no server. */
  readonly volume: string | undefined;
}

/**
 * What the last update did about models. A command is never read back, and a program does not see its own state: the
 * engine tells it as it would tell another stack's program.
 *
 * @param modelFolder where servers have their models
 */
export async function readLastUpdate(modelFolder: string): Promise<LastUpdate> {
  const stackName = `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`;
  const answer: unknown = await pulumi.runtime.invoke("pulumi:pulumi:readStackResourceOutputs", {
    stackName,
  });
  const records = new Map<string, ModelRecord>();
  let volume: string | undefined;
  for (const { outputs } of Object.values(state.parse(answer).outputs)) {
    const { stdout } = outputs;
    const record = typeof stdout === "string" ? parseRecord(stdout) : undefined;
    if (record !== undefined) records.set(record.name, record);
    const { mounts = [] } = withMounts.safeParse(outputs).data ?? {};
    volume ??= mounts.find(({ target }) => target === modelFolder)?.source;
  }
  return { records, volume };
}
