import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { parseRecord, type ModelRecord } from "../../config/model-record.ts";

const state = z.object({
  outputs: z.record(z.string(), z.object({ outputs: z.record(z.string(), z.unknown()) })),
});

/**
 * What the last update installed, by the model's name. A command is never read back, and a program does
 * not see its own state: the engine tells it as it would tell another stack's program.
 */
export async function installedByLastUpdate(): Promise<ReadonlyMap<string, ModelRecord>> {
  const stackName = `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`;
  const answer: unknown = await pulumi.runtime.invoke("pulumi:pulumi:readStackResourceOutputs", {
    stackName,
  });
  const records = new Map<string, ModelRecord>();
  for (const { outputs } of Object.values(state.parse(answer).outputs)) {
    const { stdout } = outputs;
    const record = typeof stdout === "string" ? parseRecord(stdout) : undefined;
    if (record !== undefined) records.set(record.name, record);
  }
  return records;
}
