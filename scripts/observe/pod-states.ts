import type { Kubectl } from "../../cluster/kubectl.ts";
import { listPods, type PodState } from "../../cluster/pods.ts";
import { parseKeeperState, stateFile } from "../../components/config/pod-models.ts";
import type { Status } from "./status.ts";

/** The pods of a stack, and what those wait for that are not ready. @throws ClusterError */
export async function podStates(kubectl: Kubectl): Promise<Status["containers"]> {
  const pods = await listPods(kubectl);
  return await Promise.all(
    pods.map(async (pod) => {
      const { name, phase, isReady, isGoing, restarts, since, node } = pod;
      const note = await waitsFor(kubectl, pod);
      return {
        component: name,
        status: isGoing ? "terminating" : phase.toLowerCase(),
        health: isReady ? "ready" : "not ready",
        restarts,
        startedAt: since,
        ...(node === undefined ? {} : { node }),
        ...(note === undefined ? {} : { note }),
      };
    }),
  );
}

async function waitsFor(kubectl: Kubectl, pod: PodState): Promise<string | undefined> {
  if (pod.waiting !== undefined || !pod.running.includes("models")) return pod.waiting;
  const state = parseKeeperState(await kubectl.readFile(pod.name, "models", stateFile));
  if (state === undefined || state.complete) return undefined;
  return state.problem ?? state.line;
}
