import { Kubectl } from "../../cluster/kubectl.ts";
import { clusterOf, forwardedUrl } from "../stack/cluster-outputs.ts";
import type { SelectedStack } from "../stack/selected-stack.ts";
import type { Deployment } from "../stack/deployment.ts";
import { isDeployedInCluster } from "../stack/same-cluster.ts";
import { pulumi } from "../stack/pulumi-cli.ts";
import { settingsFor } from "../stack/settings.ts";
import { lockedUpdate } from "./locked-update.ts";
import { openStack } from "./recovery.ts";

/** Rejects moving a stack from Docker to a cluster, which would destroy it there with its models. */
function rejectMoveFromDocker(
  { resources }: Deployment,
  { stack, stackOption }: Pick<SelectedStack, "stack" | "stackOption">,
): void {
  if (!resources.some(({ type }) => type.startsWith("docker:"))) return;
  throw new Error(
    `the stack ${stack} is deployed on Docker, but its config sets engine to kubernetes. ` +
      `Set engine to docker and destroy it with: npm run destroy${stackOption}, then deploy it in the cluster`,
  );
}

/** Rejects moving a stack from a cluster to Docker. */
export function rejectMoveFromCluster(
  found: Deployment,
  { stack, stackOption }: Pick<SelectedStack, "stack" | "stackOption">,
): void {
  if (!isDeployedInCluster(found)) return;
  throw new Error(
    `the stack ${stack} is deployed on Kubernetes, but its config sets engine to docker. ` +
      `Set engine to kubernetes and destroy it with: npm run destroy${stackOption}, then deploy it here`,
  );
}

/**
 * Deploys a stack in its cluster. Refreshes first, so that manual changes are reverted.
 *
 * @param on `passed` are arguments for the CLI
 */
export async function upInCluster(on: SelectedStack & { readonly passed: readonly string[] }): Promise<void> {
  const { stack, stackOption, env, passed } = on;
  // The program checks the cluster too, but the refresh runs before, and the provider's errors are verbose.
  const settings = settingsFor(stack, passed);
  await new Kubectl(clusterOf(settings, "")).run(["version", "--output=json"]);
  const found = await openStack(stack, env, passed);
  rejectMoveFromDocker(found, on);
  const refresh = found.resources.length > 0 ? ["--refresh"] : [];
  await lockedUpdate(["up", "--yes", "--skip-preview", ...refresh, ...passed], stack, env);
  const output = async (name: string) =>
    (await pulumi(["stack", "output", name, "--stack", stack], { env, output: "read" })).trim();
  const gatewayUrl = await output("gatewayUrl");
  const hasConsole = String(settings("console")) === "true";
  console.log(`${hasConsole ? `\nConsole:    npm run open${stackOption}` : ""}
From here:  npm run forward${stackOption} (while it runs, the gateway is at the address below)
Try it:     curl ${forwardedUrl({ gatewayUrl })}/v1/models -H "authorization: Bearer $OLLAMA_STACK_API_KEY"
In there:   ${gatewayUrl}
Take down:  npm run destroy${stackOption}`);
}
