import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { ClusterError, Kubectl } from "../../../cluster/kubectl.ts";
import type { ClusterDemand } from "./demand.ts";
import { checkNodes, nodeList } from "./nodes.ts";
import { type OptionalObject, missingRights } from "./rights.ts";

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
 * too old, rights are missing, it lacks a kind of object or the storage class, the pods find no nodes. Nothing is
 * changed. Checked at preview, too.
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
  const [rights, kinds, storage, password, metrics, nodes] = await Promise.all([
    missingRights(kubectl, namespace, demand.optional, demand.granted),
    missingKinds(kubectl, demand.optional),
    storageProblem(kubectl, demand.storageClass),
    passwordProblem(kubectl, demand),
    demand.needsCpuMetrics ? metricsWarning(kubectl) : undefined,
    // Not everybody may see the nodes.
    orUndefined(kubectl.get(nodeList, "nodes")),
  ]);
  const place = nodes === undefined ? undefined : checkNodes(nodes.items, demand);
  return {
    version,
    problems: [
      ...(isOld(serverVersion) ? [tooOld(version)] : []),
      ...(rights.length === 0 ? [] : [notAllowed(rights, namespace)]),
      ...kinds,
      ...[storage, password].filter((each) => each !== undefined),
      ...(place?.problems ?? []),
    ],
    warnings: [...(metrics === undefined ? [] : [metrics]), ...(place?.warnings ?? [])],
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

/** What has to be installed in a cluster for kinds that are not Kubernetes' own, by their group. */
const installers: Readonly<Record<string, string>> = {
  "gateway.networking.k8s.io": "Install the Gateway API and an implementation, or set ingressClass instead.",
  "keda.sh": "Install KEDA, or set autoscaling to none or hpa.",
  "monitoring.coreos.com": "Install the Prometheus operator, or set podMonitor to false.",
};

const resources = z.object({ resources: z.array(z.object({ kind: z.string() })) });

/** Says of each kind that the cluster does not know who needs it. */
async function missingKinds(kubectl: Kubectl, optional: readonly OptionalObject[]): Promise<string[]> {
  const groups = Map.groupBy(optional, ({ apiVersion }) => apiVersion);
  const found = await Promise.all(
    [...groups].map(async ([apiVersion, objects]) => {
      const install = installers[apiVersion.split("/")[0] ?? ""];
      if (install === undefined) return [];
      const known = await knownKinds(kubectl, apiVersion);
      return objects
        .filter(({ kind }) => known?.has(kind) === false)
        .map(
          ({ kind, by }) => `The cluster has no kind ${kind} (${apiVersion}), which ${by} needs. ${install}`,
        );
    }),
  );
  return found.flat();
}

/** The kinds of a version of a group; undefined when one may not see them. */
async function knownKinds(kubectl: Kubectl, apiVersion: string): Promise<ReadonlySet<string> | undefined> {
  try {
    const text = await kubectl.run(["get", `--raw=/apis/${apiVersion}`]);
    return new Set(resources.parse(JSON.parse(text)).resources.map(({ kind }) => kind));
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    if (error.isNotFound) return new Set();
    if (error.isForbidden) return undefined;
    throw error;
  }
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

/** A pod that mounts a Secret that is not there waits for it without an end. */
async function passwordProblem(
  kubectl: Kubectl,
  { statePasswordSecret: name, namespace }: ClusterDemand,
): Promise<string | undefined> {
  if (name === "") return undefined;
  // The names of its entries, so that the password stays where it is.
  const names = "--output=go-template={{range $key, $value := .data}}{{$key}} {{end}}";
  let entries = "";
  try {
    entries = await kubectl.run(["get", "secret", name, `--namespace=${namespace}`, names]);
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    if (error.isForbidden) return undefined;
    if (!error.isNotFound) throw error;
  }
  if (entries.split(" ").includes("password")) return undefined;
  return `statePasswordSecret is ${name}, but the namespace ${namespace} has no Secret of that name with the entry password. Make the namespace, if there is none yet, with: kubectl create namespace ${namespace}. Make the Secret with: kubectl create secret generic ${name} --namespace ${namespace} --from-file=password=FILE`;
}

/** Without it, an autoscaler leaves the gateways at the fewest. */
async function metricsWarning(kubectl: Kubectl): Promise<string | undefined> {
  try {
    await kubectl.run(["get", "--raw=/apis/metrics.k8s.io/v1beta1"]);
    return undefined;
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    if (!error.isNotFound) return undefined;
    return "The cluster has no metrics API, without which gatewayMaxReplicas adds no gateway. Install metrics-server, or set gatewayMaxReplicas to 1.";
  }
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
