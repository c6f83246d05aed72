import { type Deployment, readDeployment } from "../stack/deployment.ts";
import type { Settings } from "../stack/settings.ts";
import { lockedUpdate } from "./locked-update.ts";

const edgeType = "ollama-stack:index:Edge";

/**
 * Takes down an edge that the config no longer asks for, before the update: Pulumi deletes last, and the edge would
 * still have the port that the gateway is to publish. Returns what is deployed then.
 *
 * @param check fails when there can be no update, before the edge is taken away for it
 */
export async function removeObsoleteEdge(
  stack: string,
  settings: Settings,
  deployment: Deployment,
  env: NodeJS.ProcessEnv,
  check: () => Promise<unknown>,
): Promise<Deployment> {
  const parts = deployment.resources.filter(({ urn }) => urn.includes(`::${edgeType}`));
  if (parts.length === 0 || settings("edge") !== "none") return deployment;
  await check();
  console.error(
    "The edge goes first, so that the gateway can have its port: nobody is served until that has it.",
  );
  const targets = parts.flatMap(({ urn }) => ["--target", urn]);
  await lockedUpdate(["destroy", "--yes", "--skip-preview", ...targets], stack, env);
  return await readDeployment(stack, env);
}
