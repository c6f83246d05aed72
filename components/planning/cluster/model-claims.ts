import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { enumerate } from "../../config/enumerate.ts";
import type { ParsedConfig } from "../../config/keys.ts";
import { readOwnState } from "../own-state.ts";

const withClaims = z.object({
  spec: z.object({
    persistentVolumeClaimRetentionPolicy: z.object({ whenDeleted: z.string() }),
    volumeClaimTemplates: z.tuple([
      z.object({
        spec: z.object({
          storageClassName: z.string(),
          resources: z.object({ requests: z.object({ storage: z.string() }) }),
        }),
      }),
    ]),
  }),
});

type VolumeConfig = Pick<ParsedConfig, "storageClass" | "modelStorageGiB">;

/** Warns of a change of the models' volumes. Kubernetes cannot change claims, so the StatefulSet is replaced. */
export async function warnOfChangedClaims(config: VolumeConfig): Promise<void> {
  const deployed = (await readOwnState()).find(([urn]) => urn.endsWith("apps/v1:StatefulSet::ollama-pods"));
  const warning = claimWarning(deployed?.[1], config);
  if (warning !== undefined) await pulumi.log.warn(warning);
}

/** The warning for a deployed StatefulSet, or undefined. Exported for its test. */
export function claimWarning(
  deployed: unknown,
  { storageClass, modelStorageGiB }: VolumeConfig,
): string | undefined {
  const { data } = withClaims.safeParse(deployed);
  if (data === undefined) return undefined;
  const { volumeClaimTemplates, persistentVolumeClaimRetentionPolicy } = data.spec;
  const isRetained = persistentVolumeClaimRetentionPolicy.whenDeleted === "Retain";
  // The models move to the nodes' disks.
  if (storageClass === "")
    return isRetained
      ? "The removal of storageClass leaves the claims models-ollama-N as they are, because retainModels keeps them: each new pod pulls the models that its node lacks."
      : "The removal of storageClass deletes the volumes of Ollama's pods, because retainModels is not in effect: each new pod pulls the models that its node lacks.";
  const { storageClassName, resources } = volumeClaimTemplates[0].spec;
  const changed = [
    ...(storageClassName === storageClass ? [] : ["storageClass"]),
    ...(gibibytes(resources.requests.storage) === modelStorageGiB ? [] : ["modelStorageGiB"]),
  ];
  if (changed.length === 0) return undefined;
  const change = `The change of ${enumerate(changed)}`;
  return isRetained
    ? `${change} does not affect existing volumes, because the new pods reuse the claims models-ollama-N that retainModels keeps: docs/kubernetes.md explains how to change them.`
    : `${change} deletes the volumes of Ollama's pods, because retainModels is not in effect: each new pod pulls its models again.`;
}

/** The API server writes 1024Gi as 1Ti. */
function gibibytes(quantity: string): number {
  const [, number, unit] = /^(\d+)(Gi|Ti)$/.exec(quantity) ?? [];
  return Number(number) * (unit === "Ti" ? 1024 : 1);
}
