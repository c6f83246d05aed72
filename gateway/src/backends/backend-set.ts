import { Backend, type Connect } from "./backend.ts";
import type { Config } from "../config/config.ts";
import { DiscoveredName } from "./discovered-name.ts";
import type { BackendAddress } from "../ollama/address.ts";

/** Result of a name lookup that changed the backends, or the first failed one. */
type DiscoveryEvent =
  | { readonly name: string; readonly added: readonly string[]; readonly removed: readonly string[] }
  | { readonly name: string; readonly failure: Error };

/** The set of backends: those configured by address, and those discovered by name. */
export class BackendSet {
  /** In the order of the configuration; those of one name sorted by address. */
  all: readonly Backend[];
  /** Called when a lookup changed the backends or begins to fail. */
  onEvent: (event: DiscoveryEvent) => void = () => undefined;
  readonly names: readonly DiscoveredName[];
  readonly #entries: readonly (Backend | DiscoveredName)[];
  readonly #config: Config;
  readonly #connect: Connect | undefined;
  /** Removed backends that still run requests, by "address:port". */
  readonly #draining = new Map<string, Backend>();
  readonly #failing = new Set<DiscoveredName>();

  /** @param connect creates the clients of the backends */
  constructor(config: Config, addresses: readonly BackendAddress[], connect?: Connect) {
    this.#config = config;
    this.#connect = connect;
    this.#entries = addresses.map((each) =>
      each.everyAddress === true
        ? new DiscoveredName(each, config.PROBE_TIMEOUT_MS)
        : new Backend(config, each, connect),
    );
    this.names = this.#entries.filter((each) => each instanceof DiscoveredName);
    this.all = this.#entries.filter((each) => each instanceof Backend);
  }

  /** Whether backends are discovered by name and can change at run time. */
  get isDynamic(): boolean {
    return this.names.length > 0;
  }

  /** Whether a backend may be about to start: none has ever responded, or some have not been probed yet. */
  get isStarting(): boolean {
    if (!this.isDynamic) return false;
    return (
      this.all.every((backend) => !backend.everResponded) || this.all.some((backend) => !backend.wasProbed)
    );
  }

  /** Looks up all names and returns the new backends. Never rejects. */
  async refresh(): Promise<readonly Backend[]> {
    const added: Backend[] = [];
    await Promise.all(
      this.names.map(async (name) => {
        await name.refresh();
        added.push(...this.#apply(name));
      }),
    );
    this.#closeDrained();
    return added;
  }

  async close(): Promise<void> {
    await Promise.all([...this.all, ...this.#draining.values()].map((backend) => backend.client.close()));
  }

  /** Applies the result of one lookup, synchronously so that lookups cannot interleave. */
  #apply(lookup: DiscoveredName): readonly Backend[] {
    const { failure } = lookup;
    if (failure === undefined) this.#failing.delete(lookup);
    else {
      if (!this.#failing.has(lookup)) this.onEvent({ name: lookup.name, failure });
      this.#failing.add(lookup);
      return [];
    }
    const before = new Map(this.all.map((backend) => [backend.name, backend]));
    const fixed = this.#entries.filter((each) => each instanceof Backend).map((each) => [each.name, each]);
    // Entries with the same address share one backend.
    const next = new Map(fixed as [string, Backend][]);
    const added: Backend[] = [];
    for (const name of this.names) {
      for (const address of name.addresses) {
        const key = `${address.host}:${address.port}`;
        if (next.has(key)) continue;
        const known = before.get(key) ?? this.#draining.get(key);
        const backend = known ?? new Backend(this.#config, address, this.#connect);
        if (!before.has(key)) added.push(backend);
        this.#draining.delete(key);
        next.set(key, backend);
      }
    }
    const removed = [...before.values()].filter((backend) => next.get(backend.name) !== backend);
    if (added.length === 0 && removed.length === 0) return added;
    this.all = [...next.values()];
    for (const backend of removed) this.#draining.set(backend.name, backend);
    this.onEvent({
      name: lookup.name,
      added: added.map(({ name }) => name),
      removed: removed.map(({ name }) => name),
    });
    return added;
  }

  /** Requests on a removed backend run to their end. */
  #closeDrained(): void {
    const idle = [...this.#draining.values()].filter((backend) => backend.inFlight === 0);
    for (const backend of idle) this.#draining.delete(backend.name);
    for (const backend of idle) backend.client.retire();
  }
}
