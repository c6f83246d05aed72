import type { BackendAddress } from "../ollama/address.ts";
import { HostLookup } from "../lib/network/host-lookup.ts";

// More than one DNS response has room for with the usual size of a message; bounds what a resolver can have probed.
const MAX_ADDRESSES = 1024;

// The resolver of an orchestrator that restarts may say for a moment that a name has no addresses.
const EMPTY_LOOKUPS = 2;

/** One name whose every address is a server, as headless services of Kubernetes have it. */
export class DiscoveredName {
  /** "host:port" */
  readonly name: string;
  readonly #address: BackendAddress;
  readonly #lookup: HostLookup;
  /** In an order that depends on nothing but which they are. */
  #hosts: readonly string[] = [];
  #emptyLookups = 0;
  #failure: Error | undefined;
  #underWay: Promise<void> | undefined;

  constructor(address: BackendAddress, timeoutMs: number) {
    this.name = `${address.host}:${address.port}`;
    this.#address = address;
    this.#lookup = new HostLookup(address.host, timeoutMs);
  }

  /** The servers found last. */
  get addresses(): readonly BackendAddress[] {
    const { port, slots } = this.#address;
    return this.#hosts.map((host) => ({ host, port, ...(slots === undefined ? {} : { slots }) }));
  }

  /** Why the last lookup failed, if it did. The addresses before it stay. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Looks the name up, once for all that call it meanwhile. Never rejects. */
  refresh(): Promise<void> {
    this.#underWay ??= this.#refresh().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #refresh(): Promise<void> {
    try {
      const found = await this.#lookup.addresses();
      if (found === undefined) throw new Error(`looking up ${this.#address.host} timed out`);
      this.#take(found);
      this.#failure = undefined;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // The resolver responded: there is no address, or none any more.
      if (code === "ENOTFOUND") {
        this.#take([]);
        this.#failure = undefined;
      } else this.#failure = error as Error;
    }
  }

  #take(found: readonly { readonly address: string; readonly family: number }[]): void {
    this.#emptyLookups = found.length === 0 ? this.#emptyLookups + 1 : 0;
    if (found.length === 0 && this.#emptyLookups < EMPTY_LOOKUPS) return;
    // A server in a network of both families has an address of each, and is one server.
    const hasFour = found.some(({ family }) => family === 4);
    const hosts = found.flatMap(({ address, family }) => (hasFour && family !== 4 ? [] : [address]));
    this.#hosts = [...new Set(hosts)].toSorted().slice(0, MAX_ADDRESSES);
  }
}
