import type { Kubectl } from "../../cluster/kubectl.ts";
import { gatewayTarget } from "../../cluster/gateway-target.ts";
import { keepForwarded } from "../../cluster/port-forward.ts";
import type { ClusterOutputs } from "../stack/cluster-outputs.ts";

/** Where the gateway of a stack in a cluster is on this machine while its port is forwarded. */
export function forwardedUrl({ gatewayUrl }: Pick<ClusterOutputs, "gatewayUrl">): string {
  return `http://127.0.0.1:${new URL(gatewayUrl).port}`;
}

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
  const localPort = Number(new URL(outputs.gatewayUrl).port);
  await keepForwarded(
    kubectl,
    { target: () => gatewayTarget(kubectl), port: "http", localPort },
    until,
    onReady,
  );
}

/**
 * Does something with the gateway at a free port of this machine, over pods that are replaced meanwhile.
 *
 * @throws ClusterError when there is no gateway to forward to, or none any more
 */
export async function withClusterGateway<T>(
  kubectl: Kubectl,
  work: (gatewayUrl: string) => Promise<T>,
): Promise<T> {
  const { promise: until, resolve: end } = Promise.withResolvers<undefined>();
  const started = Promise.withResolvers<Promise<T>>();
  const forwarding = keepForwarded(
    kubectl,
    { target: () => gatewayTarget(kubectl), port: "http" },
    until,
    (port) => {
      started.resolve(work(`http://127.0.0.1:${String(port)}`));
    },
  );
  forwarding.catch(started.reject);
  try {
    return await started.promise;
  } finally {
    end(undefined);
    await forwarding;
  }
}

/** Resolves when a signal asks this process to end. */
export function interrupted(): Promise<unknown> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, resolve);
  });
}
