import { ClusterError, type Kubectl } from "../../cluster/kubectl.ts";
import { listPods, type PodState } from "../../cluster/pods.ts";
import { parseKeeperState, stateFile } from "../../components/config/kubernetes/pod-models.ts";
import type { Status } from "./status.ts";

interface Options {
  /** Whether gateways share their state, or stand by for one another. */
  readonly hasSeveralGateways: boolean;
}

/** The pods of a stack, why they are not ready, and the roles of gateways. @throws ClusterError */
export async function podStates(
  kubectl: Kubectl,
  { hasSeveralGateways }: Options = { hasSeveralGateways: false },
): Promise<Status["containers"]> {
  const pods = await listPods(kubectl);
  return await Promise.all(
    pods.map(async (pod) => {
      const { name, phase, isReady, isTerminating, restarts, since, node } = pod;
      const isOneOfSeveral = hasSeveralGateways && pod.app === "gateway" && !isTerminating;
      const note =
        (await waitsFor(kubectl, pod)) ?? (isOneOfSeveral ? await standing(kubectl, pod) : undefined);
      return {
        component: name,
        status: isTerminating ? "terminating" : phase.toLowerCase(),
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

const notes: Readonly<Record<string, string>> = {
  up: "shared state is up",
  away: "shared state is away, it continues with its share of slots and limits",
  active: "active: it gets all requests",
  standby: "stands by",
};

/** How a gateway describes its own state; undefined while it starts. */
async function standing(kubectl: Kubectl, { name, running }: PodState): Promise<string | undefined> {
  if (!running.includes("gateway")) return undefined;
  const script =
    'fetch(`http://127.0.0.1:${process.env.PORT}/ready`).then((it) => it.json()).then((it) => console.log(it.shared_state ?? it.role ?? ""))';
  try {
    const text = await kubectl.run(["exec", name, "--container=gateway", "--", "node", "--eval", script]);
    const state = text.trim();
    return notes[state];
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    return undefined;
  }
}
