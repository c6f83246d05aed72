import type { Pod, Rollout } from "./pods.ts";

/** Whether every pod runs as it is declared and has all models of a list. */
export function isFinished({ isObserved, replicas, pods }: Rollout, version: string): boolean {
  return isObserved && pods.length === replicas && pods.every((pod) => isComplete(pod, version));
}

function isComplete({ isUpdated, isReady, state }: Pod, version: string): boolean {
  return isUpdated && isReady && state?.version === version && state.complete;
}

interface Progress {
  readonly lines: readonly string[];
  /** Why waiting is no use. */
  readonly failure: string | undefined;
}

// What Kubernetes goes on trying and no time mends.
const hopeless =
  /ErrImagePull|ImagePullBackOff|ErrImageNeverPull|InvalidImageName|CreateContainerConfigError/;

/** What is still to be waited for, one line a pod. */
export function describeProgress({ replicas, pods }: Rollout, version: string): Progress {
  const unfinished = pods.filter((pod) => !isComplete(pod, version));
  const lines = unfinished.map((pod) => `${pod.name}: ${describe(pod, version)}`);
  if (pods.length < replicas) lines.push(`${String(pods.length)} of ${String(replicas)} pods are there`);
  const failed = unfinished.find(
    ({ isUpdated, waiting, state }) =>
      isUpdated &&
      (hopeless.test(waiting ?? "") || (state?.version === version && state.problem !== undefined)),
  );
  return {
    lines,
    failure: failed === undefined ? undefined : `${failed.name}: ${describe(failed, version)}`,
  };
}

function describe({ isUpdated, waiting, state }: Pod, version: string): string {
  if (!isUpdated) return "runs as it was declared before, until it is replaced";
  if (waiting !== undefined) return waiting;
  if (state === undefined) return "its containers start";
  if (state.version !== version) return "the list of models is on its way to it";
  return state.problem ?? (state.complete ? "it is not ready yet" : state.line);
}
