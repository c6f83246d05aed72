import * as z from "zod";
import type { ApiServer } from "./api-server.ts";

// Follows the rules of client-go's leader election, so that tools understand the Lease.

const leaseSchema = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string() }),
  spec: z
    .looseObject({
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.number().nullish(),
      leaseTransitions: z.number().nullish(),
      acquireTime: z.string().nullish(),
    })
    .nullish(),
});
type Lease = z.output<typeof leaseSchema>;

interface ElectionOptions {
  readonly namespace: string;
  /** Of the Lease. */
  readonly name: string;
  /** Identity of the holder: the pod's name, so that a restarted container keeps its Lease. */
  readonly identity: string;
  readonly durationMs: number;
  /** A monotonic clock, in milliseconds. */
  readonly now: () => number;
}

/** Elects the active gateway by a Lease. */
export class LeaseElection {
  readonly #api: ApiServer;
  readonly #options: ElectionOptions;
  readonly #collection: string;
  readonly #path: string;
  // When this gateway last saw the record change; clocks of other machines are not trusted.
  #lastChange = { record: "", at: -Infinity };
  #renewedAt: number | undefined;
  #holder = "";

  constructor(api: ApiServer, options: ElectionOptions) {
    this.#api = api;
    this.#options = options;
    this.#collection = `/apis/coordination.k8s.io/v1/namespaces/${options.namespace}/leases`;
    this.#path = `${this.#collection}/${options.name}`;
  }

  /** Whether this gateway holds the Lease. Expires before another gateway can take it. */
  get isHeld(): boolean {
    const { now, durationMs } = this.#options;
    return this.#renewedAt !== undefined && now() - this.#renewedAt < (durationMs * 2) / 3;
  }

  /** Whether another gateway held the Lease when it was last read. */
  get isHeldByAnother(): boolean {
    return this.#holder !== "" && this.#holder !== this.#options.identity;
  }

  /**
   * Acquires or renews the Lease if possible.
   *
   * @param isCandidate checked before each write; if it returns false, the Lease is only read
   * @throws Error if the API server does not respond or refuses
   */
  async step(isCandidate: () => boolean): Promise<void> {
    const { now, identity, durationMs } = this.#options;
    const requestedAt = now();
    const lease = await this.#read();
    if (lease === undefined) {
      this.#renewedAt = undefined;
      this.#holder = "";
      if (isCandidate() && (await this.#create())) this.#renewed(requestedAt);
      return;
    }
    this.#observe(lease);
    if (this.isHeldByAnother) {
      this.#renewedAt = undefined;
      const seconds = lease.spec?.leaseDurationSeconds ?? 0;
      const leaseMs = seconds > 0 ? seconds * 1000 : durationMs;
      if (now() - this.#lastChange.at < leaseMs) return;
    }
    if (!isCandidate()) return;
    const isOwn = this.#holder === identity;
    const time = microTime();
    const spec = {
      ...lease.spec,
      holderIdentity: identity,
      leaseDurationSeconds: this.#durationSeconds,
      acquireTime: (isOwn ? lease.spec?.acquireTime : undefined) ?? time,
      renewTime: time,
      leaseTransitions: (lease.spec?.leaseTransitions ?? 0) + Number(!isOwn),
    };
    if (await this.#write({ ...lease, spec })) this.#renewed(requestedAt);
  }

  /**
   * Releases the Lease, so that another gateway can acquire it immediately.
   *
   * @returns false if it was modified concurrently
   * @throws Error if the API server does not respond or refuses
   */
  async release(): Promise<boolean> {
    const { identity } = this.#options;
    this.#renewedAt = undefined;
    const lease = await this.#read();
    if (lease === undefined || lease.spec?.holderIdentity !== identity) return true;
    const spec = { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1, renewTime: microTime() };
    if (!(await this.#write({ ...lease, spec }))) return false;
    this.#holder = "";
    return true;
  }

  get #durationSeconds(): number {
    return Math.ceil(this.#options.durationMs / 1000);
  }

  #observe(lease: Lease): void {
    this.#holder = lease.spec?.holderIdentity ?? "";
    const record = JSON.stringify(lease.spec ?? {});
    // Taken after the response: the record cannot be newer.
    if (record !== this.#lastChange.record) this.#lastChange = { record, at: this.#options.now() };
  }

  #renewed(requestedAt: number): void {
    this.#renewedAt = requestedAt;
    this.#holder = this.#options.identity;
  }

  #read(): Promise<Lease | undefined> {
    return this.#api.read(this.#path, leaseSchema, "reading the Lease");
  }

  #create(): Promise<boolean> {
    const { namespace, name, identity } = this.#options;
    const time = microTime();
    const lease = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name, namespace },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: this.#durationSeconds,
        acquireTime: time,
        renewTime: time,
        leaseTransitions: 0,
      },
    };
    return this.#api.write("POST", this.#collection, lease, "creating the Lease");
  }

  /** @returns false if it was modified concurrently */
  #write(lease: object): Promise<boolean> {
    return this.#api.write("PUT", this.#path, lease, "writing the Lease");
  }
}

/** Kubernetes' MicroTime has six fractional digits. */
function microTime(): string {
  return new Date().toISOString().replace("Z", "000Z");
}
