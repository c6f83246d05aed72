import { type Deployment, readDeployment } from "../stack/deployment.ts";
import type { Settings } from "../stack/settings.ts";
import { lockedUpdate } from "./locked-update.ts";

const edgeType = "ollama-stack:index:Edge";

/**
 * Removes an edge that is no longer configured before the update, because Pulumi deletes last and the edge would still hold
 * the gateway's port. Returns the resulting deployment.
 *
 * @param check throws if the update cannot succeed, before the edge is removed
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
    "Removing the edge first, because the gateway needs its port. The service is unavailable until the gateway has it.",
  );
  const targets = parts.flatMap(({ urn }) => ["--target", urn]);
  await lockedUpdate(["destroy", "--yes", "--skip-preview", ...targets], stack, env);
  return await readDeployment(stack, env);
}
