import dns from "node:dns/promises";
import { BlockList, isIP } from "node:net";

/** Trusted proxies by address, network in CIDR notation, or host name. */
export interface ProxyList {
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
  const networks = new BlockList();
  const hosts: string[] = [];
  for (const entry of entries) {
    const [address = "", prefix, ...more] = entry.split("/");
    const version = isIP(address);
    const bits = version === 4 ? 32 : 128;
    if (version !== 0 && prefix === undefined) networks.addAddress(address, familyOf(address));
    else if (version !== 0 && /^\d{1,3}$/.test(prefix ?? "") && Number(prefix) <= bits && more.length === 0)
      networks.addSubnet(address, Number(prefix), familyOf(address));
    // An address with too many numbers looks like a host name.
    else if (HOST_NAME.test(entry) && /[a-z]/i.test(entry)) hosts.push(entry.toLowerCase());
    else throw new Error(`${entry} is not an address, network or host name`);
  }
  return { networks, hosts };
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
    return (
      this.#resolved.has(plain) || (isIP(plain) !== 0 && this.#list.networks.check(plain, familyOf(plain)))
    );
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

/** Removes the prefix of IPv4-mapped addresses ("::ffff:10.0.0.1") and zones ("fe80::1%eth0"). */
function plainAddress(address: string): string {
  return address.includes(":") ? address.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "") : address;
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 4 ? "ipv4" : "ipv6";
}
