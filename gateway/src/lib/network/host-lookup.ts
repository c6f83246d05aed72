import dns from "node:dns";

/** Resolves a host name, with one lookup at a time. */
export class HostLookup {
  readonly #host: string;
  readonly #timeoutMs: number;
  /** Do not send further queries to an unresponsive resolver. */
  #pending: Promise<readonly dns.LookupAddress[]> | undefined;

  /** @param timeoutMs in milliseconds; a later result goes to the next call */
  constructor(host: string, timeoutMs: number) {
    this.#host = host;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Resolves to undefined after the timeout.
   *
   * @throws the resolver's error
   */
  addresses(): Promise<readonly dns.LookupAddress[] | undefined> {
    this.#pending ??= lookup(this.#host).finally(() => {
      this.#pending = undefined;
    });
    return withTimeout(this.#timeoutMs, this.#pending);
  }
}

function lookup(host: string): Promise<readonly dns.LookupAddress[]> {
  return new Promise((resolve, reject) => {
    dns.lookup(host, { all: true }, (error, addresses) => {
      if (error === null) resolve(addresses);
      else reject(error);
    });
  });
}

/** Resolves to undefined after the timeout. */
async function withTimeout<Result>(ms: number, work: Promise<Result>): Promise<Result | undefined> {
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
