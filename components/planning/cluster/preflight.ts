import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { ClusterError, Kubectl } from "../../../cluster/kubectl.ts";
import type { ClusterDemand } from "./demand.ts";
import { checkNodes, nodeList } from "./nodes.ts";
import { type OptionalObject, missingRights } from "./rights.ts";

/** The result of checking a cluster against a stack's requirements. */
export interface ClusterFindings {
  /** "1.37". */
  readonly version: string;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

// Needed for sidecar containers and the sleep action of preStop hooks.
const oldest = 30;

const versions = z.object({ serverVersion: z.object({ major: z.string(), minor: z.string() }) });
const names = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });

/**
 * Fails early on what would break or stall an update midway: an unreachable or outdated cluster, missing permissions,
 * missing kinds or storage class, unschedulable pods. Runs at preview too, and changes nothing.
 *
 * @throws ClusterError when the cluster does not respond
 */
export async function requireFitCluster(demand: ClusterDemand): Promise<void> {
  const { warnings, problems } = await inspectCluster(demand);
  for (const warning of warnings) await pulumi.log.warn(warning);
  if (problems.length > 0) throw new pulumi.RunError(problems.join("\n"));
}

/** Checks a cluster and returns the findings. @throws ClusterError when the cluster does not respond */
export async function inspectCluster(demand: ClusterDemand): Promise<ClusterFindings> {
  const { kubeconfig, kubeContext: context, namespace } = demand;
  const kubectl = new Kubectl({ kubeconfig, context, namespace: "" });
  const { serverVersion } = versions.parse(JSON.parse(await kubectl.run(["version", "--output=json"])));
  const version = `${serverVersion.major}.${serverVersion.minor.replace(/\D.*$/, "")}`;
  const [rights, kinds, storage, password, claim, metrics, nodes] = await Promise.all([
    missingRights(kubectl, namespace, demand.optional, demand.granted),
    missingKinds(kubectl, demand.optional),
    storageProblem(kubectl, demand.storageClass),
    passwordProblem(kubectl, demand),
    claimProblem(kubectl, demand),
    demand.needsCpuMetrics ? metricsWarning(kubectl) : undefined,
    // Listing nodes may be forbidden.
    orUndefined(kubectl.get(nodeList, "nodes")),
  ]);
  const nodeFindings = nodes === undefined ? undefined : checkNodes(nodes.items, demand);
  return {
    version,
    problems: [
      ...(isOld(serverVersion) ? [tooOld(version)] : []),
      ...(rights.length === 0 ? [] : [notAllowed(rights, namespace)]),
      ...kinds,
      ...[storage, password, claim].filter((each) => each !== undefined),
      ...(nodeFindings?.problems ?? []),
    ],
    warnings: [...(metrics === undefined ? [] : [metrics]), ...(nodeFindings?.warnings ?? [])],
  };
}

function isOld({ major, minor }: z.output<typeof versions>["serverVersion"]): boolean {
  return Number(major) === 1 && Number.parseInt(minor, 10) < oldest;
}

function tooOld(version: string): string {
  return `The cluster runs Kubernetes ${version}, but a stack needs 1.${String(oldest)} or newer. Upgrade the cluster.`;
}

function notAllowed(rights: readonly string[], namespace: string): string {
  return `You are not allowed to ${rights.join("; ")} for the namespace ${namespace}. Ask the cluster's administrator for the roles in docs/kubernetes.md.`;
}

/** What to install for kinds that are not built in, by API group. */
const installers: Readonly<Record<string, string>> = {
  "gateway.networking.k8s.io": "Install the Gateway API and an implementation, or set ingressClass instead.",
  "keda.sh": "Install KEDA, or set autoscaling to none or hpa.",
  "monitoring.coreos.com": "Install the Prometheus operator, or set podMonitor to false.",
};

const resources = z.object({ resources: z.array(z.object({ kind: z.string() })) });

/** One line for each kind that the cluster lacks, with the setting that needs it. */
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

/** The kinds of an API version; undefined if listing them is forbidden. */
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
    ? `${begin} has no storage class. Install a volume provisioner, or leave storageClass empty: models are then deleted with their pods.`
    : `${begin} has only ${classes.join(", ")}. Set it to one of these, or leave it empty: models are then deleted with their pods.`;
}

/** A pod that mounts a missing Secret stays pending forever. */
async function passwordProblem(
  kubectl: Kubectl,
  { statePasswordSecret: name, namespace }: ClusterDemand,
): Promise<string | undefined> {
  if (name === "") return undefined;
  // Reads only the names of its entries, not the password.
  const names = "--output=go-template={{range $key, $value := .data}}{{$key}} {{end}}";
  const entries = await read(kubectl, ["get", "secret", name, `--namespace=${namespace}`, names]);
  if (entries === undefined || entries.split(" ").includes("password")) return undefined;
  return `statePasswordSecret is ${name}, but the namespace ${namespace} has no Secret of that name with the entry password. ${createNamespace(namespace)} Create the Secret with: kubectl create secret generic ${name} --namespace ${namespace} --from-file=password=FILE`;
}

/** So does one with a missing claim, after its predecessor was stopped. */
async function claimProblem(
  kubectl: Kubectl,
  { gatewayUsageVolume: name, namespace }: ClusterDemand,
): Promise<string | undefined> {
  if (name === "") return undefined;
  const get = ["get", "persistentvolumeclaim", name, `--namespace=${namespace}`, "--output=name"];
  if ((await read(kubectl, get)) !== "") return undefined;
  return `gatewayUsageVolume is ${name}, but the namespace ${namespace} has no PersistentVolumeClaim of that name. ${createNamespace(namespace)} Create the claim with kubectl apply, or leave gatewayUsageVolume empty.`;
}

function createNamespace(namespace: string): string {
  return `If the namespace does not exist, create it with: kubectl create namespace ${namespace}.`;
}

/** The output of a request; empty if the object does not exist, undefined if reading it is forbidden. */
async function read(kubectl: Kubectl, args: readonly string[]): Promise<string | undefined> {
  try {
    return await kubectl.run(args);
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    if (error.isForbidden) return undefined;
    if (error.isNotFound) return "";
    throw error;
  }
}

/** Without metrics, an autoscaler keeps the minimum number of gateways. */
async function metricsWarning(kubectl: Kubectl): Promise<string | undefined> {
  try {
    await kubectl.run(["get", "--raw=/apis/metrics.k8s.io/v1beta1"]);
    return undefined;
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    if (!error.isNotFound) return undefined;
    return "The cluster has no metrics API, so gatewayMaxReplicas has no effect. Install metrics-server, or set gatewayMaxReplicas to 1.";
  }
}

/** Skips a check that the user's permissions do not allow. */
async function orUndefined<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof ClusterError && error.isForbidden) return undefined;
    throw error;
  }
}
