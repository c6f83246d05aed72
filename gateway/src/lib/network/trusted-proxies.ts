import dns from "node:dns/promises";
import { BlockList, isIP } from "node:net";

/** The proxies whose X-Forwarded-For is believed: by address, by network in CIDR notation, or by host name. */
export interface ProxyList {
  readonly networks: BlockList;
  readonly hosts: readonly string[];
}

const HOST_NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/;

/**
 * Reads a list such as "edge, 10.0.0.0/8, ::1".
 *
 * @throws Error naming an entry that is none of the three
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
    // An address with a number too many looks like a name.
    else if (HOST_NAME.test(entry) && /[a-z]/i.test(entry)) hosts.push(entry.toLowerCase());
    else throw new Error(`${entry} is no address, network or host name`);
  }
  return { networks, hosts };
}

/**
 * Decides whose X-Forwarded-For names the client. A host's addresses are looked up again when a request comes from an
 * address that is not known: the proxy may start after the gateway, and gets another address when it is replaced.
 */
export class TrustedProxies {
  readonly #list: ProxyList;
  #resolved: ReadonlySet<string> = new Set();
  #lookup: Promise<void> | undefined;

  constructor(list: ProxyList) {
    this.#list = list;
  }

  /** @param address undefined once the connection is gone; an IPv4 address may be written as an IPv6 one */
  trusts(address: string | undefined): boolean {
    const plain = plainAddress(address ?? "");
    return (
      this.#resolved.has(plain) || (isIP(plain) !== 0 && this.#list.networks.check(plain, familyOf(plain)))
    );
  }

  /** Whether a name has to be looked up to know if an address is trusted. */
  mayTrust(address: string): boolean {
    return this.#list.hosts.length > 0 && !this.trusts(address);
  }

  /** Looks the names up. Requests that come meanwhile share the lookup; a name that is not found trusts nobody. */
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

/** What a request says of its sender. Both are undefined when the connection is gone before they were read. */
interface Sender {
  readonly ip: string | undefined;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/**
 * The client's address, as `findClientAddress` has it in `request.ip`. What a proxy passes on in place of an address
 * counts as the proxy's own.
 */
export function clientAddress({ ip = "", socket }: Sender): string | undefined {
  const plain = plainAddress(ip);
  if (isIP(plain) !== 0) return plain;
  return socket.remoteAddress === undefined ? undefined : plainAddress(socket.remoteAddress);
}

/** An address without IPv6's prefix for an IPv4 one ("::ffff:10.0.0.1") and without a zone ("fe80::1%eth0"). */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "");
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 4 ? "ipv4" : "ipv6";
}
