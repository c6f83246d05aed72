import type { StartStep } from "../../../cluster/pods.ts";
import type { Pod, Rollout } from "./pods.ts";

/** Whether all pods are updated and have all models of a list. */
export function isFinished({ isObserved, replicas, pods }: Rollout, version: string): boolean {
  return isObserved && pods.length === replicas && pods.every((pod) => isComplete(pod, version));
}

function isComplete({ isUpdated, isReady, state }: Pod, version: string): boolean {
  return isUpdated && isReady && state?.version === version && state.complete;
}

interface Progress {
  /** What is still pending, one line per pod. */
  readonly lines: readonly string[];
  /** How long the lines may stay the same, in milliseconds. */
  readonly limitMs: number;
  /** Why the rollout cannot succeed. */
  readonly failure: string | undefined;
}

// The kubelet's retries cannot fix these.
const permanent = /ErrImageNeverPull|InvalidImageName|CreateContainerConfigError/;
// The kubelet retries these, first after 10 s: a registry may be unavailable for a moment.
const failedPull = /ErrImagePull|ImagePullBackOff|RegistryUnavailable/;
const pullRetriesMs = 60_000;

interface Limits {
  /** Maximum time for a container to become ready, in milliseconds. */
  readonly readyMs: number;
  /** Maximum time for a pod to stop, in milliseconds. */
  readonly stopMs: number;
}

const minuteMs = 60_000;
/** How long Kubernetes shows nothing new although a pod is starting. */
const startLimitsMs: Readonly<Record<StartStep, number>> = {
  // A cluster autoscaler waits 15 minutes for a new node.
  scheduling: 20 * minuteMs,
  // A volume is detached from a lost node after six minutes.
  attaching: 10 * minuteMs,
  // As on Docker.
  pulling: 4 * 60 * minuteMs,
};

/** Watches pods until they are updated and have all models of a list. */
export class RolloutWatch {
  readonly #version: string;
  readonly #limits: Limits;
  readonly #now: () => number;
  /** Start of image pull failures, by pod name. */
  #failedPulls: ReadonlyMap<string, number> = new Map();

  /** @param version of the list; @param now the time in ms */
  constructor(version: string, limits: Limits, now: () => number = Date.now) {
    this.#version = version;
    this.#limits = limits;
    this.#now = now;
  }

  /** Processes the current state of the pods. */
  observe({ replicas, pods, terminating }: Rollout): Progress {
    const unfinished = pods.filter((pod) => !isComplete(pod, this.#version));
    const lines = unfinished.map((pod) => `${pod.name}: ${describe(pod, this.#version)}`);
    lines.push(...terminating.map((name) => `${name}: finishing its requests`));
    if (pods.length < replicas) lines.push(`${String(pods.length)} of ${String(replicas)} pods exist`);
    const updated = unfinished.filter(({ isUpdated }) => isUpdated);
    const now = this.#now();
    this.#failedPulls = new Map(
      updated
        .filter(({ waiting = "" }) => failedPull.test(waiting))
        .map(({ name }) => [name, this.#failedPulls.get(name) ?? now]),
    );
    const failed = updated.find((pod) => this.#hasFailed(pod, now));
    const { readyMs, stopMs } = this.#limits;
    return {
      lines,
      limitMs: Math.max(
        terminating.length > 0 ? stopMs + readyMs : readyMs,
        ...updated.map((pod) => this.#limitMs(pod)),
      ),
      failure: failed === undefined ? undefined : `${failed.name}: ${describe(failed, this.#version)}`,
    };
  }

  #limitMs({ startStep, state }: Pod): number {
    // The model keeper itself detects a pull without progress, and reports it as a problem.
    if (state?.version === this.#version && state.isInstalling === true) return Infinity;
    return startStep === undefined ? 0 : startLimitsMs[startStep];
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

function describe({ isUpdated, waiting, startStep, state }: Pod, version: string): string {
  if (!isUpdated) return "not updated yet";
  if (waiting !== undefined) return waiting;
  if (startStep === "attaching") return "attaching its volumes and network";
  if (startStep === "pulling") return "pulling its images";
  if (state === undefined) return "containers are starting";
  if (state.version !== version) return "waiting for the new list of models";
  return state.problem ?? (state.complete ? "not ready yet" : state.line);
}
