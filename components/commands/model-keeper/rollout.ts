import type { Pod, Rollout } from "./pods.ts";

/** Whether every pod runs as it is declared and has all models of a list. */
export function isFinished({ isObserved, replicas, pods }: Rollout, version: string): boolean {
  return isObserved && pods.length === replicas && pods.every((pod) => isComplete(pod, version));
}

function isComplete({ isUpdated, isReady, state }: Pod, version: string): boolean {
  return isUpdated && isReady && state?.version === version && state.complete;
}

interface Progress {
  /** What is still to be waited for, one line a pod. */
  readonly lines: readonly string[];
  /** Why waiting is no use. */
  readonly failure: string | undefined;
}

// No retry of the kubelet's changes these.
const permanent = /ErrImageNeverPull|InvalidImageName|CreateContainerConfigError/;
// The kubelet tries these again, 10 s after the first time and later after that: a registry may be away for a moment.
const failedPull = /ErrImagePull|ImagePullBackOff|RegistryUnavailable/;
const pullRetriesMs = 60_000;

/** Follows pods until they run as they are declared and have all models of a list. */
export class RolloutWatch {
  readonly #version: string;
  readonly #now: () => number;
  /** Since when the images of a pod could not be pulled, by the pod's name. */
  #failedPulls: ReadonlyMap<string, number> = new Map();

  /** @param version of the list; @param now the time in ms */
  constructor(version: string, now: () => number = Date.now) {
    this.#version = version;
    this.#now = now;
  }

  /** Takes the state of the pods now. */
  observe({ replicas, pods }: Rollout): Progress {
    const unfinished = pods.filter((pod) => !isComplete(pod, this.#version));
    const lines = unfinished.map((pod) => `${pod.name}: ${describe(pod, this.#version)}`);
    if (pods.length < replicas) lines.push(`${String(pods.length)} of ${String(replicas)} pods are there`);
    const updated = unfinished.filter(({ isUpdated }) => isUpdated);
    const now = this.#now();
    this.#failedPulls = new Map(
      updated
        .filter(({ waiting = "" }) => failedPull.test(waiting))
        .map(({ name }) => [name, this.#failedPulls.get(name) ?? now]),
    );
    const failed = updated.find((pod) => this.#hasFailed(pod, now));
    return {
      lines,
      failure: failed === undefined ? undefined : `${failed.name}: ${describe(failed, this.#version)}`,
    };
  }

  #hasFailed({ name, waiting = "", state }: Pod, now: number): boolean {
    const failedPullAt = this.#failedPulls.get(name) ?? now;
    return (
      permanent.test(waiting) ||
      now - failedPullAt >= pullRetriesMs ||
      (state?.version === this.#version && state.problem !== undefined)
    );
  }
}

function describe({ isUpdated, waiting, state }: Pod, version: string): string {
  if (!isUpdated) return "runs as it was declared before, until it is replaced";
  if (waiting !== undefined) return waiting;
  if (state === undefined) return "its containers start";
  if (state.version !== version) return "the list of models is on its way to it";
  return state.problem ?? (state.complete ? "it is not ready yet" : state.line);
}
