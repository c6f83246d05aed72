import { isIP } from "node:net";
import { HostLookup } from "./host-lookup.ts";

/** Detects changed addresses of a host name, as connections outlive them. */
export class HostResolver {
  readonly #host: string;
  readonly #lookup: HostLookup;
  #addresses = "";

  /** @param timeoutMs in milliseconds; a later result goes to the next call */
  constructor(host: string, timeoutMs: number) {
    this.#host = host;
    this.#lookup = new HostLookup(host, timeoutMs);
  }

  /**
   * Whether the addresses have changed since the last call.
   *
   * @throws the resolver's error
   */
  async hasChanged(): Promise<boolean> {
    if (isIP(this.#host) !== 0) return false;
    const found = await this.#lookup.addresses();
    if (found === undefined) return false;
    const addresses = found
      .map(({ address }) => address)
      .toSorted()
      .join();
    const moved = this.#addresses !== "" && addresses !== this.#addresses;
    this.#addresses = addresses;
    return moved;
  }
}
