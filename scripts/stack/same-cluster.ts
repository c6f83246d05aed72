import { z } from "zod";
import type { ClusterAddress } from "../../cluster/address.ts";
import { type ClusterIdentity, identify, readServer, recordedClusterType } from "../../cluster/identity.ts";
import { ClusterError, Kubectl } from "../../cluster/kubectl.ts";
import type { Deployed } from "./deployment.ts";

/** A context leads to another cluster than the one that has the stack. */
export class OtherCluster extends ClusterError {}

interface DeployedStack {
  readonly resources: readonly Pick<Deployed, "type" | "inputs" | "outputs">[];
}

/** What a stack's outputs say of its cluster. */
export const recordedOutputs = z.object({
  clusterId: z.string().optional(),
  clusterServer: z.string().optional(),
});
type RecordedIdentity = z.output<typeof recordedOutputs>;

const provider = z.object({ kubeconfig: z.string().default(""), context: z.string().default("") });

/**
 * Refuses to go on with a stack that is deployed in another cluster than a command would reach: Pulumi would take what
 * is there for what should be here, drop it from the state, or delete what has its name. Another address of the same
 * cluster is no move. A stack that was deployed before this was recorded is taken as it is.
 *
 * @param address the cluster that the config names; without it, only what was deployed with counts, as for a destroy
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
  // The CLI refreshes and destroys by the provider in the state, whatever the config names by now.
  const known = deployedAddress(deployed);
  const addresses = [address, known].filter((each) => each !== undefined);
  for (const [i, each] of addresses.entries()) {
    if (i > 0 && each.kubeconfig === address?.kubeconfig && each.context === address.context) continue;
    let here;
    try {
      here = await identify(new Kubectl(each));
    } catch (error) {
      // One that has moved is Pulumi's to replace; one that cannot be reached is not changed by mistake.
      if (i > 0 && error instanceof ClusterError) continue;
      throw error;
    }
    compare(stack, recorded, here, each);
  }
}

/** The same for a command that only looks, and that reaches no cluster but the one that the config names. */
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
      `${remedy(address)}. If that cluster is gone for good, have the state forget the stack: ` +
      `npm run pulumi -- stack rm ${stack} --force --preserve-config`,
  );
}

/** Which cluster has a stack: by its outputs, and until its first update has ended by what that recorded first. */
function recordedIdentity({ resources }: DeployedStack): RecordedIdentity {
  for (const type of ["pulumi:pulumi:Stack", recordedClusterType]) {
    const outputs = resources.find((each) => each.type === type)?.outputs;
    const { data } = recordedOutputs.safeParse(outputs);
    if (data?.clusterId !== undefined) return data;
  }
  return {};
}

/** What a stack was last deployed with; undefined where it is not on Kubernetes. */
function deployedAddress({ resources }: DeployedStack): ClusterAddress | undefined {
  const found = resources.find(({ type }) => type === "pulumi:providers:kubernetes");
  return found === undefined ? undefined : { ...provider.parse(found.inputs), namespace: "" };
}

/** Whether a stack is in a cluster, or an update has begun to deploy it there. */
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

/** Clusters on one machine often have the same address: the identity tells them apart. */
function named(server: string | undefined, id: string): string {
  return `the cluster ${server === undefined ? "" : `at ${server} `}(${id.slice(0, 8)})`;
}

function leading({ kubeconfig, context }: ClusterAddress): string {
  const file = kubeconfig === "" ? "" : ` of ${kubeconfig}`;
  return context === "" ? `the current context${file} leads` : `the context ${context}${file} leads`;
}

function remedy({ kubeconfig, context }: ClusterAddress): string {
  if (context !== "") return "Have kubeconfig and kubeContext name the cluster that has the stack";
  const file = kubeconfig === "" ? "" : ` --kubeconfig ${kubeconfig}`;
  return `Switch to the cluster that has the stack with: kubectl config use-context NAME${file}`;
}

const namespaceOf = z.object({ metadata: z.object({ name: z.string() }) });

/** The namespace of a deployed stack, by what it was last deployed with; undefined where it has none. */
export function deployedNamespace(deployed: DeployedStack): ClusterAddress | undefined {
  const inputs = deployed.resources.find(({ type }) => type === "kubernetes:core/v1:Namespace")?.inputs;
  const namespace = namespaceOf.safeParse(inputs).data?.metadata.name;
  const address = deployedAddress(deployed);
  return namespace === undefined || address === undefined ? undefined : { ...address, namespace };
}

/** Where a stack is, for a question: "the namespace llm of the cluster at https://10.0.0.1:6443". */
export async function describePlace(address: ClusterAddress | undefined): Promise<string> {
  const server =
    address === undefined ? undefined : await readServer(new Kubectl({ ...address, namespace: "" }));
  const cluster = server === undefined ? "its cluster" : `the cluster at ${server}`;
  return address === undefined ? cluster : `the namespace ${address.namespace} of ${cluster}`;
}
