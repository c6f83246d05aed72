import { clusterNamespace } from "../../engine/names.ts";
import type { SelectedStack } from "../stack/selected-stack.ts";
import type { Deployment } from "../stack/deployment.ts";
import { pulumi } from "../stack/pulumi-cli.ts";
import { deployedNamespace } from "../stack/same-cluster.ts";
import { settingsFor } from "../stack/settings.ts";

/**
 * Adopts a stack's objects in a cluster. After a lost state, an update does so itself, because it applies every object. A
 * renamed stack keeps its former namespace, because an update would otherwise delete that with its volumes.
 */
export async function adoptInCluster(
  { stack, stackOption, env }: SelectedStack,
  deployment: Deployment,
): Promise<void> {
  const namespace = clusterNamespace(stack, String(settingsFor(stack, [])("namespace")));
  const deployed = deployedNamespace(deployment)?.namespace;
  if (deployed === undefined || deployed === namespace) {
    console.log(
      `Nothing to do: npm run up${stackOption} itself adopts the stack's objects in the namespace ${namespace}, including its pods and volumes.`,
    );
    return;
  }
  await pulumi(["config", "set", "namespace", deployed, "--stack", stack], { env, output: "read" });
  console.log(
    `Set: namespace ${deployed}, which the stack ${stack} keeps from its former name. Continue with: npm run up${stackOption}`,
  );
}
