import type { Pod } from "./pods.ts";

interface GpuReport {
  /** Pods whose models are still looked at, each with the last thing that its keeper said. */
  readonly unknown: readonly string[];
  /** Which models are not in GPU memory, each with its pod. */
  readonly problems: readonly string[];
}

/** What the keepers of pods found of the memory that their models are in. */
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
