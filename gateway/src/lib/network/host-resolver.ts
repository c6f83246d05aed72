import { isIP } from "node:net";
import { HostLookup } from "./host-lookup.ts";

/** Where a server's name leads, which is looked up again and again: a connection outlives what its server's name means. */
export class HostResolver {
  readonly #host: string;
  readonly #lookup: HostLookup;
  #addresses = "";

  /** @param timeoutMs how long a resolver may take; what comes later is for the next time */
  constructor(host: string, timeoutMs: number) {
    this.#host = host;
    this.#lookup = new HostLookup(host, timeoutMs);
  }

  /** Says whether the name leads elsewhere than before. @throws what the resolver says */
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
