interface Limits {
  /** Time to live of a response, in milliseconds. */
  readonly ttlMs: number;
  /** Maximum total size in bytes; 0 to store nothing. */
  readonly limitBytes: number;
}

/** A response to store, with what it adds to its conversation. */
export interface NewResponse<Item> {
  readonly id: string;
  /** The response object without its output. */
  readonly response: object;
  /** Input items of the request itself. */
  readonly input: readonly Item[];
  readonly output: readonly Item[];
  /** The response that this one continues. */
  readonly previous?: StoredResponse<Item> | undefined;
  /** Approximate memory used by its items, in bytes. */
  readonly cost: number;
}

/** A stored response, linked to its conversation. */
export interface StoredResponse<Item> extends Readonly<NewResponse<Item>> {
  /** Size of the conversation up to and including this response, in bytes. */
  readonly conversationCost: number;
  /** Number of items in the conversation. */
  readonly length: number;
}

interface Entry<Item> extends StoredResponse<Item> {
  readonly owner: string;
  readonly expiresAt: number;
  /** Number of references: 1 while it can be looked up, and 1 for each response that continues it. Freed at 0. */
  uses: number;
}

// Overhead per entry in bytes: the response object and map entries.
export const ENTRY_COST = 4096;

/**
 * Stores responses for a limited time in limited memory. An owner sees only its own. When the limit is exceeded, drops
 * the oldest response of the owner with the most memory.
 */
export class ResponseStore<Item extends object> {
  readonly #limits: Limits;
  readonly #now: () => number;
  /** By ID, oldest first. */
  readonly #entries = new Map<string, Entry<Item>>();
  /** Output items by ID. */
  readonly #items = new Map<string, { readonly entry: Entry<Item>; readonly item: Item }>();
  readonly #owners = new Map<string, { readonly ids: Set<string>; cost: number }>();
  #cost = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: Limits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Memory in use, in bytes. */
  get cost(): number {
    return this.#cost;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Whether a response to a request of this size could be stored. */
  hasRoomFor(cost: number): boolean {
    return cost + ENTRY_COST <= this.#limits.limitBytes;
  }

  /** @returns whether the response was stored; false if its conversation alone exceeds the limit */
  put(owner: string, added: NewResponse<Item>): boolean {
    const { previous, input, output } = added;
    const cost = added.cost + ENTRY_COST;
    const conversationCost = cost + (previous?.conversationCost ?? 0);
    if (conversationCost > this.#limits.limitBytes) return false;
    const entry: Entry<Item> = {
      ...added,
      cost,
      conversationCost,
      length: input.length + output.length + (previous?.length ?? 0),
      owner,
      expiresAt: this.#now() + this.#limits.ttlMs,
      uses: 1,
    };
    this.#retain(previous as Entry<Item> | undefined, entry);
    this.#entries.set(entry.id, entry);
    for (const item of output) withId(item, (id) => this.#items.set(id, { entry, item }));
    const account = this.#account(owner);
    account.ids.add(entry.id);
    this.#evict();
    this.#schedule();
    return this.#entries.has(entry.id);
  }

  get(owner: string, id: string): StoredResponse<Item> | undefined {
    this.#dropExpired();
    const entry = this.#entries.get(id);
    return entry?.owner === owner ? entry : undefined;
  }

  /** Returns an output item. */
  item(owner: string, id: string): Item | undefined {
    this.#dropExpired();
    const found = this.#items.get(id);
    return found?.entry.owner === owner ? found.item : undefined;
  }

  /** @returns whether the response existed */
  delete(owner: string, id: string): boolean {
    if (this.get(owner, id) === undefined) return false;
    this.#drop(id);
    return true;
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  /** A response keeps the memory of those that it continues until it is freed itself. */
  #retain(previous: Entry<Item> | undefined, entry: Entry<Item>): void {
    if (previous !== undefined) {
      // It may have been dropped while its successor was generated.
      for (let each: Entry<Item> | undefined = previous; each !== undefined; each = parentOf(each)) {
        each.uses += 1;
        if (each.uses > 1) break;
        this.#charge(each, each.cost);
      }
    }
    this.#charge(entry, entry.cost);
  }

  #drop(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    this.#owners.get(entry.owner)?.ids.delete(id);
    for (const item of entry.output) withId(item, (id) => this.#items.delete(id));
    for (let each: Entry<Item> | undefined = entry; each !== undefined; each = parentOf(each)) {
      each.uses -= 1;
      if (each.uses > 0) break;
      this.#charge(each, -each.cost);
    }
  }

  #charge({ owner }: Entry<Item>, cost: number): void {
    const account = this.#account(owner);
    account.cost += cost;
    this.#cost += cost;
    // Do not accumulate names of removed keys.
    if (account.cost === 0 && account.ids.size === 0) this.#owners.delete(owner);
  }

  #account(owner: string): { readonly ids: Set<string>; cost: number } {
    let account = this.#owners.get(owner);
    if (account === undefined) this.#owners.set(owner, (account = { ids: new Set(), cost: 0 }));
    return account;
  }

  #evict(): void {
    while (this.#cost > this.#limits.limitBytes) {
      let largest: { readonly ids: Set<string>; cost: number } | undefined;
      for (const account of this.#owners.values())
        if (account.ids.size > 0 && account.cost > (largest?.cost ?? 0)) largest = account;
      const [oldest] = largest?.ids ?? [];
      if (oldest === undefined) return;
      this.#drop(oldest);
    }
  }

  #dropExpired(): void {
    const now = this.#now();
    for (const { id, expiresAt } of this.#entries.values()) {
      if (expiresAt > now) return;
      this.#drop(id);
    }
  }

  /** Expired responses are also dropped without a request, as they contain private conversations. */
  #schedule(): void {
    if (this.#timer !== undefined) return;
    const [oldest] = this.#entries.values();
    if (oldest === undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#dropExpired();
        this.#schedule();
      },
      Math.max(1, oldest.expiresAt - this.#now()),
    ).unref();
  }
}

function parentOf<Item>(entry: Entry<Item>): Entry<Item> | undefined {
  return entry.previous as Entry<Item> | undefined;
}

function withId(item: object, use: (id: string) => void): void {
  if ("id" in item && typeof item.id === "string") use(item.id);
}
