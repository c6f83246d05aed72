import { z } from "zod";
import type { Kubectl } from "../../cluster/kubectl.ts";
import { listPods } from "../../cluster/pods.ts";
import { parseKeeperState, stateFile } from "../../components/config/kubernetes/pod-models.ts";
import type { Deployed, Deployment } from "../stack/deployment.ts";
import { parseClusterOutputs } from "../stack/cluster-outputs.ts";
import { compareObject } from "./cluster-object.ts";
import type { Difference } from "./difference.ts";
import type { Drift } from "./find.ts";

const api = "kubernetes:";
const object = z.looseObject({});
const identified = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.object({ name: z.string(), namespace: z.string().optional() }),
});

/** Compares the state with the cluster's objects, and the models with those of the pods. */
export async function findClusterDrift(
  { resources }: Deployment,
  kubectl: Kubectl,
  stackOption: string,
): Promise<Drift> {
  const objects = resources.filter(({ type }) => type.startsWith(api));
  const [compared, pods] = await Promise.all([
    Promise.all(objects.map((each) => compareDeployed(each, kubectl))),
    comparePods(resources, kubectl, stackOption),
  ]);
  const differences = compared.flat();
  // If the StatefulSet itself differs, its pods differ too.
  const isSetAsDeclared = !differences.some(({ resource }) => resource.startsWith("StatefulSet "));
  return {
    differences: [...differences, ...(isSetAsDeclared ? pods : [])],
    compared: objects.length,
  };
}

async function compareDeployed({ urn, inputs }: Deployed, kubectl: Kubectl): Promise<Difference[]> {
  const { kind, apiVersion, metadata } = identified.parse(inputs);
  const [group = ""] = apiVersion.includes("/") ? apiVersion.split("/") : [];
  const resource = `${kind} ${metadata.name}`;
  const named = `${kind.toLowerCase()}${group === "" ? "" : `.${group}`}`;
  const actual = await kubectl.find(object, named, metadata.name);
  const difference = { urn, resource, repair: "refresh" } as const;
  if (actual === undefined)
    return [{ ...difference, property: "state", expected: "there", actual: "removed" }];
  const isSecret = kind === "Secret";
  return compareObject(declaredOf(inputs), actual).map(({ path, expected, actual: have, isAdded }) => ({
    ...difference,
    ...(isAdded === true ? { repair: { byHand: removal(path, `${named}/${metadata.name}`, kubectl) } } : {}),
    property: path,
    // The report must not contain the content of a Secret.
    expected: isSecret ? "as deployed" : expected,
    actual: isSecret ? "changed" : have,
  }));
}

/**
 * How to remove an entry that was added to a list manually. The API server attributes it to another field manager, so that an
 * update, a server-side apply, cannot remove it.
 */
function removal(path: string, object: string, { address: { namespace } }: Kubectl): string {
  const at = `--namespace ${namespace}`;
  const [, container, variable] = /\.containers\[([^\]]+)\]\.env\[([^\]]+)\]$/.exec(path) ?? [];
  return container === undefined || variable === undefined
    ? `remove what was added with: kubectl edit ${object} ${at}`
    : `remove the variable with: kubectl set env ${object} --containers=${container} ${variable}- ${at}`;
}

/** Without what only the provider reads. */
function declaredOf({ metadata, ...rest }: Deployed["inputs"]): unknown {
  const { annotations, ...own } = metadata as { annotations?: Record<string, string> };
  const kept = Object.entries(annotations ?? {}).filter(([key]) => !key.startsWith("pulumi.com/"));
  return { ...rest, metadata: { ...own, annotations: Object.fromEntries(kept) } };
}

/** Pods that are not ready, or lack models that the last update installed. */
async function comparePods(
  resources: readonly Deployed[],
  kubectl: Kubectl,
  stackOption: string,
): Promise<Difference[]> {
  const stack = resources.find(({ type }) => type === "pulumi:pulumi:Stack");
  const outputs = parseClusterOutputs(stack?.outputs);
  if (stack === undefined || outputs === undefined) return [];
  const byHand = `see what it waits for with npm run status${stackOption}; it comes back by itself when that is there`;
  const pods = (await listPods(kubectl)).filter(({ isTerminating }) => !isTerminating);
  const found = await Promise.all(
    pods.map(async ({ name, isReady, waiting, running }): Promise<Difference[]> => {
      const pod = { urn: stack.urn, resource: `pod ${name}`, repair: { byHand } };
      const waits = isReady
        ? []
        : [{ ...pod, property: "state", expected: "ready", actual: waiting ?? "not ready" }];
      if (!running.includes("models")) return waits;
      const state = parseKeeperState(await kubectl.readFile(name, "models", stateFile));
      const have = new Map(state?.models.map(({ name: model, digest }) => [model, digest]));
      const models = outputs.installedModels.flatMap(({ model, digest }) => {
        const actual = have.get(model);
        if (actual === digest) return [];
        const [expected, shown] = [digest.slice(0, 12), actual?.slice(0, 12) ?? "not there"];
        return [{ ...pod, property: `model ${model}`, expected, actual: shown }];
      });
      return [...waits, ...models];
    }),
  );
  return found.flat();
}
