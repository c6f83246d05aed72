import { Tunnel, type TunnelTarget } from "./tunnel/tunnel.ts";

/** Environment variables that pass a tunnel's settings to a command. */
export function tunnelVariables({ network, image, platform }: TunnelTarget): Record<string, string> {
  return { TUNNEL_NETWORK: network, TUNNEL_IMAGE: image, TUNNEL_PLATFORM: platform };
}

/**
 * Calls `work` with a URL that is reachable from here: the service's own, or one through a tunnel if the environment
 * configures one.
 */
export async function withTunnel<T>(
  url: string,
  work: (url: string) => Promise<T>,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<T> {
  const network = environment["TUNNEL_NETWORK"] ?? "";
  if (network === "") return await work(url);
  const image = environment["TUNNEL_IMAGE"] ?? "";
  const platform = environment["TUNNEL_PLATFORM"] ?? "";
  const tunnel = await Tunnel.open({ network, image, platform }, environment);
  try {
    const { host, pathname } = new URL(url);
    const port = await tunnel.listen(host);
    return await work(`http://127.0.0.1:${String(port)}${pathname === "/" ? "" : pathname}`);
  } finally {
    await tunnel.close();
  }
}
