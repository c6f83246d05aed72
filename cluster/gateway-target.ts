import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { ClusterError, type Kubectl } from "./kubectl.ts";
import { listPods } from "./pods.ts";

const service = z.object({ spec: z.object({ selector: z.record(z.string(), z.string()).optional() }) });
const slice = z.object({
  endpoints: z.array(z.object({ targetRef: z.object({ name: z.string() }).optional() })).nullish(),
});

// A standby takes over from a lost gateway within its Lease's duration.
const withinMs = 60_000;
const pauseMs = 500;

/**
 * Returns the target for forwarding a port of the gateway: its Service, or the active pod if others stand by. Their Service
 * has no selector, which kubectl needs to find a pod.
 *
 * @param signal cancels the wait for an active gateway
 * @throws ClusterError when no gateway is active
 */
export async function gatewayTarget(kubectl: Kubectl, signal?: AbortSignal): Promise<string> {
  const found = await kubectl.find(service, "service", "gateway");
  if (found === undefined || found.spec.selector !== undefined) return "service/gateway";
  const deadline = Date.now() + withinMs;
  for (;;) {
    const pod = await activePod(kubectl);
    if (pod !== undefined) return `pod/${pod}`;
    if (Date.now() > deadline)
      throw new ClusterError(
        "No gateway is active. Look at its pods with: kubectl get pods --selector=app=gateway, and at their logs.",
      );
    await sleep(pauseMs, undefined, { signal });
  }
}

/**
 * Whether another gateway took over although the pod still exists, for example because it froze. A terminating pod does not
 * count: it has handed over, and finishes its requests.
 *
 * @param target what `gatewayTarget` returned
 * @throws ClusterError
 */
export async function isSuperseded(kubectl: Kubectl, target: string): Promise<boolean> {
  const [, pod] = /^pod\/(.+)$/.exec(target) ?? [];
  if (pod === undefined) return false;
  const active = await activePod(kubectl);
  if (active === undefined || active === pod) return false;
  const pods = await listPods(kubectl, "app=gateway");
  return pods.some(({ name, isTerminating }) => name === pod && !isTerminating);
}

async function activePod(kubectl: Kubectl): Promise<string | undefined> {
  const found = await kubectl.find(slice, "endpointslice", "gateway-active");
  const name = found?.endpoints?.[0]?.targetRef?.name;
  if (name === undefined) return undefined;
  const pods = await listPods(kubectl, "app=gateway");
  return pods.some((pod) => pod.name === name && pod.isReady && !pod.isTerminating) ? name : undefined;
}
