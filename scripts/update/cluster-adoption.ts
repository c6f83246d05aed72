import { clusterNamespace } from "../../engine/names.ts";
import type { Deployment } from "../stack/deployment.ts";
import { pulumi } from "../stack/pulumi-cli.ts";
import { deployedNamespace } from "../stack/same-cluster.ts";
import { settingsFor } from "../stack/settings.ts";

interface ClusterStack {
  readonly stack: string;
  /** What to add to `npm run NAME` so that it is about the same stack. */
  readonly stackOption: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Takes over what a cluster has of a stack. An update does that by itself where the state was lost: it applies each
 * object, whether it is there or not. A stack that was renamed keeps the namespace of its former name, or an update would
 * delete that with its volumes.
 */
export async function adoptInCluster(
  { stack, stackOption, env }: ClusterStack,
  deployment: Deployment,
): Promise<void> {
  const namespace = clusterNamespace(stack, String(settingsFor(stack, [])("namespace")));
  const deployed = deployedNamespace(deployment)?.namespace;
  if (deployed === undefined || deployed === namespace) {
    console.log(
      `Nothing to do: npm run up${stackOption} itself takes over what the namespace ${namespace} has of the stack, with its pods and volumes as they are.`,
    );
    return;
  }
  await pulumi(["config", "set", "namespace", deployed, "--stack", stack], { env, output: "read" });
  console.log(
    `Set: namespace ${deployed}, which the stack ${stack} keeps from its former name. Go on with: npm run up${stackOption}`,
  );
}
