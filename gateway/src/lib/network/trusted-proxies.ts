import dns from "node:dns/promises";
import { type BlockList, isIP } from "node:net";
import { blockListOf, contains, isNetwork, plainAddress } from "./cidr.ts";

/** Trusted proxies by address, network in CIDR notation, or host name. */
interface ProxyList {
  readonly networks: BlockList;
  readonly hosts: readonly string[];
}

const HOST_NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/;

/**
 * Parses entries such as "edge", "10.0.0.0/8" and "::1".
 *
 * @throws Error naming an invalid entry
 */
export function parseProxies(entries: readonly string[]): ProxyList {
  const networks: string[] = [];
  const hosts: string[] = [];
  for (const entry of entries) {
    if (isNetwork(entry)) networks.push(entry);
    // An address with too many numbers looks like a host name.
    else if (HOST_NAME.test(entry) && /[a-z]/i.test(entry)) hosts.push(entry.toLowerCase());
    else throw new Error(`${entry} is not an address, network or host name`);
  }
  return { networks: blockListOf(networks), hosts };
}

/**
 * Decides whose X-Forwarded-For header is trusted. Resolves host names again for requests from unknown addresses, as a
 * proxy may start later than the gateway and change its address.
 */
export class TrustedProxies {
  readonly #list: ProxyList;
  #resolved: ReadonlySet<string> = new Set();
  #lookup: Promise<void> | undefined;

  constructor(list: ProxyList) {
    this.#list = list;
  }

  /** @param address undefined for a closed connection; may be IPv4-mapped */
  trusts(address: string | undefined): boolean {
    const plain = plainAddress(address ?? "");
    return this.#resolved.has(plain) || contains(this.#list.networks, plain);
  }

  /** Whether a host name must be resolved to decide about an address. */
  mayTrust(address: string): boolean {
    return this.#list.hosts.length > 0 && !this.trusts(address);
  }

  /** Resolves the names; concurrent calls share the lookup. Unresolved names trust nobody. */
  refresh(): Promise<void> {
    this.#lookup ??= this.#resolve().finally(() => {
      this.#lookup = undefined;
    });
    return this.#lookup;
  }

  async #resolve(): Promise<void> {
    const found = await Promise.allSettled(this.#list.hosts.map((host) => dns.lookup(host, { all: true })));
    const addresses = found.flatMap((each) => (each.status === "fulfilled" ? each.value : []));
    this.#resolved = new Set(addresses.map(({ address }) => plainAddress(address)));
  }
}

/** Both are undefined if the connection was closed before they were read. */
interface Sender {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly ip: string | undefined;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** The client's address as in `request.ip`, or the proxy's if that header has no valid address. */
export function clientAddress(sender: Sender): string | undefined {
  // Without the header, `ip` is the peer's address, but takes a microsecond to compute.
  if (sender.headers["x-forwarded-for"] !== undefined) {
    const plain = plainAddress(sender.ip ?? "");
    if (isIP(plain) !== 0) return plain;
  }
  const { remoteAddress } = sender.socket;
  return remoteAddress === undefined ? undefined : plainAddress(remoteAddress);
}
