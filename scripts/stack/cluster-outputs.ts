import { z } from "zod";
import type { ClusterAddress } from "../../cluster/address.ts";
import { Kubectl } from "../../cluster/kubectl.ts";
import { readOutputsAs } from "./outputs.ts";
import { assertSeenCluster, recordedOutputs } from "./same-cluster.ts";
import { type Settings, settingsFor, textSetting } from "./settings.ts";
import { portOf } from "./url-port.ts";

/** The outputs of a deployed stack on Kubernetes. */
const outputs = recordedOutputs.extend({
  engine: z.literal("kubernetes"),
  namespace: z.string(),
  /** URL in the cluster. */
  gatewayUrl: z.url(),
  /** URL of the Ingress or Gateway. */
  publicUrl: z.url().optional(),
  keysRequired: z.boolean(),
  installedModels: z.array(z.object({ model: z.string(), digest: z.string(), sizeBytes: z.number() })),
});
export type ClusterOutputs = z.output<typeof outputs>;

/** The outputs of a completely deployed stack, or undefined. */
export function parseClusterOutputs(value: unknown): ClusterOutputs | undefined {
  return outputs.safeParse(value).data;
}

/** The gateway's URL on this machine while its port is forwarded from the cluster. */
export function forwardedUrl({ gatewayUrl }: Pick<ClusterOutputs, "gatewayUrl">): string {
  return `http://127.0.0.1:${String(portOf(gatewayUrl))}`;
}

/** The cluster in a stack's config. */
export function clusterOf(settings: Settings, namespace: string): ClusterAddress {
  return {
    kubeconfig: textSetting(settings, "kubeconfig"),
    context: textSetting(settings, "kubeContext"),
    namespace,
  };
}

/** The same for a deployed stack. @throws ClusterError if the config now refers to another cluster */
export async function openCluster(
  stack: string,
  env: NodeJS.ProcessEnv,
  settings = settingsFor(stack, []),
): Promise<{ readonly outputs: ClusterOutputs; readonly kubectl: Kubectl }> {
  const found = await readOutputsAs(parseClusterOutputs, stack, env);
  const address = clusterOf(settings, found.namespace);
  await assertSeenCluster(stack, found, address);
  return { outputs: found, kubectl: new Kubectl(address) };
}
