import { type Kubectl } from "../../cluster/kubectl.ts";
import { listPods, type PodState } from "../../cluster/pods.ts";
import type { LogOptions, LogSource } from "./merged-logs.ts";

/** The logs of all containers of a stack's pods. @throws ClusterError */
export async function podLogs(kubectl: Kubectl): Promise<LogSource[]> {
  const pods = await listPods(kubectl);
  return pods.flatMap((pod) =>
    pod.containers.map((container, i) => podLog(kubectl, pod, container, i === 0)),
  );
}

/** A sidecar is named with its pod: "ollama-0/models". */
function podLog(kubectl: Kubectl, { name: pod }: PodState, container: string, isMain: boolean): LogSource {
  const name = isMain ? pod : `${pod}/${container}`;
  const command = ({ tail, since }: LogOptions, follow: boolean) => {
    const args = [
      "logs",
      pod,
      `--container=${container}`,
      "--timestamps",
      `--tail=${tail === "all" ? "-1" : tail}`,
      ...(since === undefined ? [] : [sinceOption(since)]),
      ...(follow ? ["--follow"] : []),
    ];
    return ["kubectl", kubectl.arguments(args)] as const;
  };
  // Its container has not started yet, or the pod was deleted.
  const isEmpty = (errors: string) => /is waiting to start|\(NotFound\)|not found/.test(errors);
  return { name, component: name, command, isEmpty };
}

/** Converts a duration or a time to kubectl's options. */
function sinceOption(since: string): string {
  if (/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(since)) return `--since=${since}`;
  if (/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(since)) return `--since-time=${since}`;
  const time = /^\d+$/.test(since) ? Number(since) * 1000 : Date.parse(since);
  if (Number.isNaN(time))
    throw new Error(
      `--since is ${since}, but must be a duration such as 10m, or a time such as 2026-11-28T10:00:00Z`,
    );
  return `--since-time=${new Date(time).toISOString()}`;
}
