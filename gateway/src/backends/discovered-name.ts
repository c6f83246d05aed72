import type { BackendAddress } from "../ollama/address.ts";
import { HostLookup } from "../lib/network/host-lookup.ts";

// More than a DNS response usually holds; bounds how many hosts a resolver can make the gateway probe.
const MAX_ADDRESSES = 1024;

// Consecutive empty lookups that remove all addresses: a restarting resolver may return none for a moment.
const EMPTY_LOOKUPS = 2;

/** A host name whose every address is a backend, such as a headless service of Kubernetes. */
export class DiscoveredName {
  /** "host:port" */
  readonly name: string;
  readonly #address: BackendAddress;
  readonly #lookup: HostLookup;
  /** Sorted. */
  #hosts: readonly string[] = [];
  #emptyLookups = 0;
  #failure: Error | undefined;
  #refreshing: Promise<void> | undefined;

  constructor(address: BackendAddress, timeoutMs: number) {
    this.name = `${address.host}:${address.port}`;
    this.#address = address;
    this.#lookup = new HostLookup(address.host, timeoutMs);
  }

  /** Addresses of the last successful lookup. */
  get addresses(): readonly BackendAddress[] {
    const { port, slots } = this.#address;
    return this.#hosts.map((host) => ({ host, port, ...(slots === undefined ? {} : { slots }) }));
  }

  /** Why the last lookup failed, if it did. The previous addresses stay. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Looks the name up; concurrent calls share one lookup. Never rejects. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #refresh(): Promise<void> {
    try {
      const results = await this.#lookup.addresses();
      if (results === undefined) throw new Error(`looking up ${this.#address.host} timed out`);
      this.#update(results);
      this.#failure = undefined;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // The resolver responded that there are no addresses.
      if (code === "ENOTFOUND") {
        this.#update([]);
        this.#failure = undefined;
      } else this.#failure = error as Error;
    }
  }

  #update(results: readonly { readonly address: string; readonly family: number }[]): void {
    this.#emptyLookups = results.length === 0 ? this.#emptyLookups + 1 : 0;
    if (results.length === 0 && this.#emptyLookups < EMPTY_LOOKUPS) return;
    // A dual-stack server has an IPv4 and an IPv6 address; count it once.
    const hasIpv4 = results.some(({ family }) => family === 4);
    const hosts = results.flatMap(({ address, family }) => (hasIpv4 && family !== 4 ? [] : [address]));
    this.#hosts = [...new Set(hosts)].toSorted().slice(0, MAX_ADDRESSES);
  }
}
