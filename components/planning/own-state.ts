import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";

const state = z.object({
  outputs: z.record(z.string(), z.object({ outputs: z.record(z.string(), z.unknown()) })),
});

/**
 * The outputs of each resource in this stack's state, by URN. A program has no access to its own state, so it reads it the
 * way another stack would.
 */
export async function readOwnState(): Promise<readonly (readonly [string, Record<string, unknown>])[]> {
  const stackName = `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`;
  const response: unknown = await pulumi.runtime.invoke("pulumi:pulumi:readStackResourceOutputs", {
    stackName,
  });
  return Object.entries(state.parse(response).outputs).map(([urn, { outputs }]) => [urn, outputs] as const);
}
