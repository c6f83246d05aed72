import { z } from "zod";
import type { ClusterAddress } from "../../../cluster/address.ts";
import { Kubectl } from "../../../cluster/kubectl.ts";
import { listPods, type PodState } from "../../../cluster/pods.ts";
import { type KeeperState, parseKeeperState, stateFile } from "../../config/kubernetes/pod-models.ts";

const statefulSet = z.object({
  metadata: z.object({ generation: z.number() }),
  spec: z.object({ replicas: z.number() }),
  status: z
    .object({
      observedGeneration: z.number().optional(),
      readyReplicas: z.number().optional(),
      updatedReplicas: z.number().optional(),
      currentRevision: z.string().optional(),
      updateRevision: z.string().optional(),
    })
    .default({}),
});

export interface Pod extends Pick<PodState, "name" | "isReady" | "waiting" | "startStep"> {
  /** Whether it has the StatefulSet's current revision. */
  readonly isUpdated: boolean;
  /** Its model keeper's state; undefined while that does not run. */
  readonly state: KeeperState | undefined;
}

export interface Rollout {
  readonly replicas: number;
  /** Whether the controller has observed the latest generation. */
  readonly isObserved: boolean;
  readonly pods: readonly Pod[];
  /** Names of pods that are stopping. */
  readonly terminating: readonly string[];
}

const selector = "app=ollama";

/** Ollama's pods in a cluster. */
export class Pods {
  readonly #kubectl: Kubectl;

  constructor(address: ClusterAddress) {
    this.#kubectl = new Kubectl(address);
  }

  /** Makes the kubelets deliver a changed model list to the pods immediately. */
  async touch(): Promise<void> {
    await this.#kubectl.syncVolumes(selector);
  }

  async rollout(): Promise<Rollout> {
    const [set, items] = await Promise.all([
      this.#kubectl.get(statefulSet, "statefulset", "ollama"),
      listPods(this.#kubectl, selector),
    ]);
    const { observedGeneration = 0, updateRevision } = set.status;
    const pods = await Promise.all(
      items
        .filter(({ isTerminating }) => !isTerminating)
        .map(async ({ name, labels, isReady, waiting, startStep, running }) => ({
          name,
          isUpdated: labels["controller-revision-hash"] === updateRevision,
          isReady,
          waiting,
          startStep,
          // Also undefined while the container is starting or stopping.
          state: running.includes("models")
            ? parseKeeperState(await this.#kubectl.readFile(name, "models", stateFile))
            : undefined,
        })),
    );
    return {
      replicas: set.spec.replicas,
      isObserved: observedGeneration >= set.metadata.generation,
      pods,
      terminating: items.filter(({ isTerminating }) => isTerminating).map(({ name }) => name),
    };
  }
}
