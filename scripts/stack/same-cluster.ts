import { z } from "zod";
import type { ClusterAddress } from "../../cluster/address.ts";
import { type ClusterIdentity, identify, readServer, recordedClusterType } from "../../cluster/identity.ts";
import { ClusterError, Kubectl } from "../../cluster/kubectl.ts";
import type { Deployed } from "./deployment.ts";

/** The context refers to a cluster other than the stack's. */
export class OtherCluster extends ClusterError {}

interface DeployedStack {
  readonly resources: readonly Pick<Deployed, "type" | "inputs" | "outputs">[];
}

/** The cluster's identity in a stack's outputs. */
export const recordedOutputs = z.object({
  clusterId: z.string().optional(),
  clusterServer: z.string().optional(),
});
type RecordedIdentity = z.output<typeof recordedOutputs>;

const provider = z.object({ kubeconfig: z.string().default(""), context: z.string().default("") });

/**
 * Fails if a stack is deployed in a cluster other than the one that a command would reach: Pulumi would mix up the clusters'
 * objects, drop them from the state, or delete others of the same name. Another address of the same cluster is allowed. The
 * check is skipped for stacks deployed before the identity was recorded.
 *
 * @param address the configured cluster; if omitted, only the deployed provider counts, as for a destroy
 * @throws OtherCluster
 * @throws ClusterError when the cluster does not respond
 */
export async function assertSameCluster(
  stack: string,
  deployed: DeployedStack,
  address?: ClusterAddress,
): Promise<void> {
  const recorded = recordedIdentity(deployed);
  if (recorded.clusterId === undefined) return;
  // The CLI refreshes and destroys with the provider in the state, even if the config has changed.
  const known = deployedAddress(deployed);
  const addresses = [address, known].filter((each) => each !== undefined);
  for (const [i, each] of addresses.entries()) {
    if (i > 0 && each.kubeconfig === address?.kubeconfig && each.context === address.context) continue;
    let here;
    try {
      here = await identify(new Kubectl(each));
    } catch (error) {
      // Pulumi itself handles a changed address; an unreachable cluster cannot be changed by mistake.
      if (i > 0 && error instanceof ClusterError) continue;
      throw error;
    }
    compare(stack, recorded, here, each);
  }
}

/** The same for a read-only command, which only reaches the configured cluster. */
export async function assertSeenCluster(
  stack: string,
  recorded: RecordedIdentity,
  address: ClusterAddress,
): Promise<void> {
  if (recorded.clusterId === undefined) return;
  compare(stack, recorded, await identify(new Kubectl({ ...address, namespace: "" })), address);
}

/** @throws OtherCluster */
function compare(
  stack: string,
  { clusterId, clusterServer }: RecordedIdentity,
  here: ClusterIdentity,
  address: ClusterAddress,
): void {
  if (clusterId === undefined || here.id === undefined || here.id === clusterId) return;
  throw new OtherCluster(
    `The stack ${stack} is deployed in ${named(clusterServer, clusterId)}, but ${leading(address)} to ${named(here.server, here.id)}. ` +
      `${remedy(address)}. If that cluster no longer exists, remove the stack from the state: ` +
      `npm run pulumi -- stack rm ${stack} --force --preserve-config`,
  );
}

/** The identity of a stack's cluster, from its outputs, or from the recorded resource if its first update never finished. */
function recordedIdentity({ resources }: DeployedStack): RecordedIdentity {
  for (const type of ["pulumi:pulumi:Stack", recordedClusterType]) {
    const outputs = resources.find((each) => each.type === type)?.outputs;
    const { data } = recordedOutputs.safeParse(outputs);
    if (data?.clusterId !== undefined) return data;
  }
  return {};
}

/** The provider of a stack's last deployment; undefined if it is not on Kubernetes. */
function deployedAddress({ resources }: DeployedStack): ClusterAddress | undefined {
  const found = resources.find(({ type }) => type === "pulumi:providers:kubernetes");
  return found === undefined ? undefined : { ...provider.parse(found.inputs), namespace: "" };
}

/** Whether a stack is completely or partly deployed in a cluster. */
export function isDeployedInCluster({
  resources,
}: {
  readonly resources: readonly { readonly type: string }[];
}): boolean {
  return resources.some(
    ({ type }) =>
      type.startsWith("kubernetes:") ||
      type === "pulumi:providers:kubernetes" ||
      type === recordedClusterType,
  );
}

/** Compares identities, because clusters on one machine often have the same address. */
function named(server: string | undefined, id: string): string {
  return `the cluster ${server === undefined ? "" : `at ${server} `}(${id.slice(0, 8)})`;
}

function leading({ kubeconfig, context }: ClusterAddress): string {
  const file = kubeconfig === "" ? "" : ` of ${kubeconfig}`;
  return context === "" ? `the current context${file} leads` : `the context ${context}${file} leads`;
}

function remedy({ kubeconfig, context }: ClusterAddress): string {
  if (context !== "") return "Set kubeconfig and kubeContext to the stack's cluster";
  const file = kubeconfig === "" ? "" : ` --kubeconfig ${kubeconfig}`;
  return `Switch to the stack's cluster with: kubectl config use-context NAME${file}`;
}

const namespaceOf = z.object({ metadata: z.object({ name: z.string() }) });

/** The namespace of a deployed stack, from its last deployment; undefined if it has none. */
export function deployedNamespace(deployed: DeployedStack): ClusterAddress | undefined {
  const inputs = deployed.resources.find(({ type }) => type === "kubernetes:core/v1:Namespace")?.inputs;
  const namespace = namespaceOf.safeParse(inputs).data?.metadata.name;
  const address = deployedAddress(deployed);
  return namespace === undefined || address === undefined ? undefined : { ...address, namespace };
}

/** A stack's location, for prompts: "the namespace llm of the cluster at https://10.0.0.1:6443". */
export async function describePlace(address: ClusterAddress | undefined): Promise<string> {
  const server =
    address === undefined ? undefined : await readServer(new Kubectl({ ...address, namespace: "" }));
  const cluster = server === undefined ? "its cluster" : `the cluster at ${server}`;
  return address === undefined ? cluster : `the namespace ${address.namespace} of ${cluster}`;
}
