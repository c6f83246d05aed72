import dns from "node:dns";

/** Looks up the addresses of one host name, one lookup at a time. */
export class HostLookup {
  readonly #host: string;
  readonly #timeoutMs: number;
  /** A resolver that does not respond gets no further query meanwhile. */
  #underWay: Promise<readonly dns.LookupAddress[]> | undefined;

  /** @param timeoutMs how long a resolver may take; what comes later is for the next call */
  constructor(host: string, timeoutMs: number) {
    this.#host = host;
    this.#timeoutMs = timeoutMs;
  }

  /** Resolves with undefined when the resolver takes longer. @throws what the resolver says */
  addresses(): Promise<readonly dns.LookupAddress[] | undefined> {
    this.#underWay ??= lookup(this.#host).finally(() => {
      this.#underWay = undefined;
    });
    return within(this.#timeoutMs, this.#underWay);
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
