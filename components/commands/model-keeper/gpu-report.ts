import type { Pod } from "./pods.ts";

interface GpuReport {
  /** Pods whose models are still being checked, each with its keeper's last log line. */
  readonly unknown: readonly string[];
  /** Models that are not in GPU memory, with their pods. */
  readonly problems: readonly string[];
}

/** Summarizes the GPU memory checks of the pods' model keepers. */
export function gpuReport(pods: readonly Pick<Pod, "name" | "state">[]): GpuReport {
  return {
    unknown: pods
      .filter(({ state }) => state?.gpuProblems === undefined)
      .map(({ name, state }) => (state === undefined ? name : `${name} (${state.line})`)),
    problems: pods.flatMap(({ name, state }) =>
      (state?.gpuProblems ?? []).map((problem) => `${name}: ${problem}`),
    ),
  };
}
