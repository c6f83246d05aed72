import dns from "node:dns";
import { isIP } from "node:net";

/** Where a server's name leads, which is looked up again and again: a connection outlives what its server's name means. */
export class HostResolver {
  readonly #host: string;
  readonly #timeoutMs: number;
  #addresses = "";
  /** A resolver that does not answer is not asked again meanwhile. */
  #underWay: Promise<string> | undefined;

  /** @param timeoutMs how long a resolver may take; what comes later is for the next time */
  constructor(host: string, timeoutMs: number) {
    this.#host = host;
    this.#timeoutMs = timeoutMs;
  }

  /** Says whether the name leads elsewhere than before. @throws what the resolver says */
  async hasChanged(): Promise<boolean> {
    if (isIP(this.#host) !== 0) return false;
    this.#underWay ??= addressesOf(this.#host).finally(() => {
      this.#underWay = undefined;
    });
    const addresses = await within(this.#timeoutMs, this.#underWay);
    if (addresses === undefined) return false;
    const moved = this.#addresses !== "" && addresses !== this.#addresses;
    this.#addresses = addresses;
    return moved;
  }
}

function addressesOf(host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    dns.lookup(host, { all: true }, (error, addresses) => {
      if (error === null) {
        const written = addresses.map(({ address }) => address).toSorted();
        resolve(written.join());
      } else reject(error);
    });
  });
}

/** Resolves with undefined when it takes longer. */
async function within<Result>(ms: number, work: Promise<Result>): Promise<Result | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => {
      resolve(undefined);
    }, ms).unref();
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
