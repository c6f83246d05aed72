import { Backend, type Connect } from "./backend.ts";
import type { Config } from "../config/config.ts";
import { DiscoveredName } from "./discovered-name.ts";
import type { BackendAddress } from "../ollama/address.ts";

/** What a lookup of a name has changed. */
export type DiscoveryEvent =
  | { readonly name: string; readonly added: readonly string[]; readonly removed: readonly string[] }
  | { readonly name: string; readonly failure: Error };

/** Which Ollama servers there are: those the configuration names, and those found at the names it gives. */
export class BackendSet {
  /** In the order of the configuration; those found at one name in the order of their addresses. */
  all: readonly Backend[];
  /** Called when a lookup changed the servers, or begins to fail. */
  onEvent: (event: DiscoveryEvent) => void = () => undefined;
  readonly names: readonly DiscoveredName[];
  readonly #entries: readonly (Backend | DiscoveredName)[];
  readonly #config: Config;
  readonly #connect: Connect | undefined;
  /** Their name does not lead to them any more, and they still run requests. By "address:port". */
  readonly #draining = new Map<string, Backend>();
  readonly #failing = new Set<DiscoveredName>();

  /** @param connect makes the clients that talk to the servers */
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

  /** Servers come and go without a change of the configuration. */
  get isDynamic(): boolean {
    return this.names.length > 0;
  }

  /** A server may be about to come: none is there, or none of those that are has ever responded. */
  get isStarting(): boolean {
    if (!this.isDynamic) return false;
    return this.all.every((backend) => !backend.hasLived) || this.all.some((backend) => !backend.wasProbed);
  }

  /** Looks all names up, and returns the servers that are new. Never rejects. */
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

  /** Takes what a lookup found, before that of another name can. */
  #apply(looked: DiscoveredName): readonly Backend[] {
    const { failure } = looked;
    if (failure === undefined) this.#failing.delete(looked);
    else {
      if (!this.#failing.has(looked)) this.onEvent({ name: looked.name, failure });
      this.#failing.add(looked);
      return [];
    }
    const before = new Map(this.all.map((backend) => [backend.name, backend]));
    const fixed = this.#entries.filter((each) => each instanceof Backend).map((each) => [each.name, each]);
    // What two entries lead to is one server.
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
      name: looked.name,
      added: added.map(({ name }) => name),
      removed: removed.map(({ name }) => name),
    });
    return added;
  }

  /** What runs on a server that was removed goes on to its end. */
  #closeDrained(): void {
    const idle = [...this.#draining.values()].filter((backend) => backend.inFlight === 0);
    for (const backend of idle) this.#draining.delete(backend.name);
    for (const backend of idle) backend.client.retire();
  }
}
