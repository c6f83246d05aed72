import { ClusterError, type Kubectl } from "../../cluster/kubectl.ts";
import { gatewayTarget, isSuperseded } from "../../cluster/gateway-target.ts";
import { listPods } from "../../cluster/pods.ts";
import { keepForwarded } from "../../cluster/port-forward.ts";
import type { ClusterOutputs } from "../stack/cluster-outputs.ts";
import { portOf } from "../stack/url-port.ts";

/**
 * Brings the gateway to the port of this machine's loopback that it has in the cluster, at its next pod when one is
 * replaced, until something has happened.
 *
 * @param onReady is called once, when the port is there
 * @throws ClusterError when there is no gateway to forward to, or the port is in use
 */
export async function forwardGateway(
  kubectl: Kubectl,
  outputs: Pick<ClusterOutputs, "gatewayUrl">,
  until: Promise<unknown>,
  onReady: () => void,
): Promise<void> {
  const localPort = portOf(outputs.gatewayUrl);
  await keepForwarded(
    kubectl,
    {
      target: (signal) => gatewayTarget(kubectl, signal),
      isSuperseded: (target) => isSuperseded(kubectl, target),
      port: "http",
      localPort,
    },
    until,
    onReady,
  );
}

/**
 * Does something with the gateway at a free port of this machine, over pods that are replaced meanwhile.
 *
 * @param withinMs how long to wait for a gateway at most
 * @throws ClusterError when there is no gateway to forward to, or none any more
 */
export async function withClusterGateway<T>(
  kubectl: Kubectl,
  work: (gatewayUrl: string) => Promise<T>,
  withinMs?: number,
): Promise<T> {
  const { promise: until, resolve: end } = Promise.withResolvers<undefined>();
  const started = Promise.withResolvers<Promise<T>>();
  const forwarding = keepForwarded(
    kubectl,
    { target: (signal) => gatewayTarget(kubectl, signal), port: "http" },
    until,
    (port) => {
      clearTimeout(timer);
      started.resolve(work(`http://127.0.0.1:${String(port)}`));
    },
  );
  const timer =
    withinMs === undefined
      ? undefined
      : setTimeout(() => {
          started.reject(new ClusterError("No gateway can be reached in time."));
        }, withinMs);
  forwarding.catch(started.reject);
  try {
    return await started.promise;
  } finally {
    clearTimeout(timer);
    end(undefined);
    await forwarding;
  }
}

// Long enough for kubectl to forward a port through a slow connection.
const lookWithinMs = 10_000;

/** Like withClusterGateway, but returns undefined if no gateway is ready or its port cannot be forwarded. */
export async function tryWithClusterGateway<T>(
  kubectl: Kubectl,
  work: (gatewayUrl: string) => Promise<T>,
  withinMs = lookWithinMs,
): Promise<T | undefined> {
  try {
    const pods = await listPods(kubectl, "app=gateway");
    if (!pods.some(({ isReady, isTerminating }) => isReady && !isTerminating)) return undefined;
    return await withClusterGateway(kubectl, work, withinMs);
  } catch (error) {
    if (error instanceof ClusterError) return undefined;
    throw error;
  }
}

/** Resolves when this process receives a signal to end. */
export function interrupted(): Promise<unknown> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, resolve);
  });
}
