/** A network as `docker network inspect` shows it. */
export interface Network {
  readonly IPAM: {
    readonly Config: readonly { readonly Subnet?: string; readonly Gateway?: string }[] | null;
  };
}

/** The engine's own IPv4 address on a bridge. By default it is the first of the subnet, and not always reported. */
export function bridgeAddress(network: Network | undefined): string | undefined {
  const config = network?.IPAM.Config?.find((entry) => entry.Subnet?.includes(".") === true);
  if (config?.Gateway !== undefined && config.Gateway !== "") return config.Gateway;
  const octets = config?.Subnet?.split("/")[0]?.split(".");
  return octets && [...octets.slice(0, 3), String(Number(octets[3]) + 1)].join(".");
}
