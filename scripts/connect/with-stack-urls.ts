import { Tunnel } from "../../engine/tunnel/tunnel.ts";
import type { StackOutputs } from "../stack/outputs.ts";
import { trustEdge } from "./edge-ca.ts";

type Urls = Pick<StackOutputs, "tunnel" | "gatewayUrl" | "ollamaUrl" | "prometheusUrl" | "edge">;

/**
 * Calls a function with a stack's URLs made reachable from here: through a tunnel for unpublished or remote services, and
 * trusting the edge's own authority.
 */
export async function withStackUrls<O extends Urls, T>(
  outputs: O,
  work: (reachable: O) => Promise<T>,
): Promise<T> {
  if (outputs.tunnel?.gateway === undefined) await trustEdge(outputs);
  if (outputs.tunnel === undefined) return await work(outputs);
  const tunnel = await Tunnel.open(outputs.tunnel);
  const url = async (target: string) => `http://127.0.0.1:${String(await tunnel.listen(target))}`;
  try {
    const { gateway, ollama } = outputs.tunnel;
    const gatewayUrl = gateway === undefined ? outputs.gatewayUrl : await url(gateway);
    // Where the gateway is published on this machine, Prometheus is.
    const isRemote = gateway !== undefined && outputs.prometheusUrl !== undefined;
    const prometheus = isRemote ? { prometheusUrl: await url("prometheus:9090") } : {};
    return await work({ ...outputs, ...prometheus, gatewayUrl, ollamaUrl: await url(ollama) });
  } finally {
    await tunnel.close();
  }
}
