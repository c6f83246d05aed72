import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { ClusterError, Kubectl } from "../../../cluster/kubectl.ts";
import { checkNodes, type NodeDemand, nodeList } from "./nodes.ts";
import { missingRights } from "./rights.ts";

/** What a stack asks of its cluster. */
export interface ClusterDemand extends NodeDemand {
  readonly kubeconfig: string;
  readonly kubeContext: string;
  readonly namespace: string;
  readonly storageClass: string;
}

/** What of a cluster is not as a stack needs it. */
export interface ClusterFindings {
  /** "1.37". */
  readonly version: string;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

// A sidecar that is ready before its pod is, and a preStop hook that sleeps.
const oldest = 30;

const versions = z.object({ serverVersion: z.object({ major: z.string(), minor: z.string() }) });
const names = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });

/**
 * What would otherwise fail in the middle of an update, or wait until it times out: the cluster does not respond or is
 * too old, rights are missing, there is no such storage class, the pods find no nodes. Nothing is changed. Checked at
 * preview, too.
 */
export async function refuseUnfit(demand: ClusterDemand): Promise<void> {
  let found;
  try {
    found = await inspectCluster(demand);
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    throw new pulumi.RunError(error.message);
  }
  for (const warning of found.warnings) await pulumi.log.warn(warning);
  if (found.problems.length > 0) throw new pulumi.RunError(found.problems.join("\n"));
}

/** The same, for whoever only looks. @throws ClusterError when the cluster does not respond */
export async function inspectCluster(demand: ClusterDemand): Promise<ClusterFindings> {
  const { kubeconfig, kubeContext: context, namespace } = demand;
  const kubectl = new Kubectl({ kubeconfig, context, namespace: "" });
  const { serverVersion } = versions.parse(JSON.parse(await kubectl.run(["version", "--output=json"])));
  const version = `${serverVersion.major}.${serverVersion.minor.replace(/\D.*$/, "")}`;
  const [rights, storage, nodes] = await Promise.all([
    missingRights(kubectl, namespace),
    storageProblem(kubectl, demand.storageClass),
    // Not everybody may see the nodes.
    orUndefined(kubectl.get(nodeList, "nodes")),
  ]);
  const place = nodes === undefined ? undefined : checkNodes(nodes.items, demand);
  return {
    version,
    problems: [
      ...(isOld(serverVersion) ? [tooOld(version)] : []),
      ...(rights.length === 0 ? [] : [notAllowed(rights, namespace)]),
      ...(storage === undefined ? [] : [storage]),
      ...(place?.problems ?? []),
    ],
    warnings: place?.warnings ?? [],
  };
}

function isOld({ major, minor }: z.output<typeof versions>["serverVersion"]): boolean {
  return Number(major) === 1 && Number.parseInt(minor, 10) < oldest;
}

function tooOld(version: string): string {
  return `The cluster runs Kubernetes ${version}, and a stack needs 1.${String(oldest)} or newer. Update the cluster.`;
}

function notAllowed(rights: readonly string[], namespace: string): string {
  return `The cluster does not let you ${rights.join("; ")} for the namespace ${namespace}. Have its administrator give you the roles in docs/kubernetes.md.`;
}

async function storageProblem(kubectl: Kubectl, storageClass: string): Promise<string | undefined> {
  if (storageClass === "") return undefined;
  const found = await orUndefined(kubectl.get(names, "storageclasses"));
  const classes = found?.items.map(({ metadata }) => metadata.name);
  if (classes === undefined || classes.includes(storageClass)) return undefined;
  const begin = `storageClass is ${storageClass}, but the cluster`;
  return classes.length === 0
    ? `${begin} has no storage class. Install a provisioner of volumes in it, or leave storageClass empty: models then go with their pods.`
    : `${begin} has only ${classes.join(", ")}. Set it to one of these, or leave it empty: models then go with their pods.`;
}

/** What is not to be seen with one's rights is not checked. */
async function orUndefined<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof ClusterError && error.isForbidden) return undefined;
    throw error;
  }
}
