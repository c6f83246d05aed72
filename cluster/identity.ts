import { z } from "zod";
import { ClusterError, type Kubectl } from "./kubectl.ts";

/** The identity of a cluster. */
export interface ClusterIdentity {
  /** The uid of the namespace kube-system, which never changes; undefined without permission to list namespaces. */
  readonly id: string | undefined;
  /** URL of its API server, from the kubeconfig. */
  readonly server: string | undefined;
}

/** The type of the resource that records a stack's cluster in its state, from the first update on. */
export const recordedClusterType = "ollama-stack:kubernetes:Cluster";

const namespaces = z.object({ items: z.array(z.object({ metadata: z.object({ uid: z.string() }) })) });
const servers = z.object({
  clusters: z.array(z.object({ cluster: z.object({ server: z.string().optional() }) })).nullish(),
});

/** Identifies a cluster. @throws ClusterError when it does not respond */
export async function identify(kubectl: Kubectl): Promise<ClusterIdentity> {
  const reading = readServer(kubectl);
  // Waits for both, so that no kubectl keeps running after a failure.
  const [id, server] = await Promise.all([readId(kubectl).finally(() => reading), reading]);
  return { id, server };
}

async function readId(kubectl: Kubectl): Promise<string | undefined> {
  try {
    // Lists them, because a stack's role allows getting only its own namespace.
    const found = await kubectl.get(namespaces, "namespaces", "--field-selector=metadata.name=kube-system");
    return found.items[0]?.metadata.uid;
  } catch (error) {
    if (error instanceof ClusterError && error.isForbidden) return undefined;
    throw error;
  }
}

/** Reads the API server's URL from the kubeconfig, without a request. Undefined without a kubeconfig, as in a pod. */
export async function readServer(kubectl: Kubectl): Promise<string | undefined> {
  try {
    const text = await kubectl.run(["config", "view", "--minify", "--output=json"]);
    return servers.parse(JSON.parse(text)).clusters?.[0]?.cluster.server;
  } catch (error) {
    if (error instanceof ClusterError) return undefined;
    throw error;
  }
}
