interface Limits {
  /** How long a response is kept, ms. */
  readonly ttlMs: number;
  /** What all responses may take together, bytes; 0: none is kept. */
  readonly limitBytes: number;
}

/** What a response adds to the conversation before it. */
export interface NewResponse<Item> {
  readonly id: string;
  /** The response object, without its output. */
  readonly response: object;
  /** The items of the request itself. */
  readonly input: readonly Item[];
  readonly output: readonly Item[];
  /** The response whose conversation this one continues. */
  readonly previous?: StoredResponse<Item> | undefined;
  /** About how much memory its items take, bytes. */
  readonly cost: number;
}

/** A response with the conversation that led to it. */
export interface StoredResponse<Item> extends Readonly<NewResponse<Item>> {
  /** What its conversation takes, itself included, bytes. */
  readonly conversationCost: number;
  /** How many items its conversation has. */
  readonly length: number;
}

interface Entry<Item> extends StoredResponse<Item> {
  readonly owner: string;
  readonly expiresAt: number;
  /** It can be looked up, or another response continues it. Without any use its memory is free. */
  uses: number;
}

// What an entry takes apart from its items: the response object, and its places in maps.
export const ENTRY_COST = 4096;

/**
 * Keeps responses for a bounded time, in bounded memory. An owner sees only its own. Where the limit is exceeded, the
 * oldest response of the owner that holds the most is dropped first.
 */
export class ResponseStore<Item extends object> {
  readonly #limits: Limits;
  readonly #now: () => number;
  /** By their ids, oldest first. */
  readonly #entries = new Map<string, Entry<Item>>();
  /** By the ids of the items that responses consist of. */
  readonly #items = new Map<string, { readonly entry: Entry<Item>; readonly item: Item }>();
  readonly #owners = new Map<string, { readonly ids: Set<string>; cost: number }>();
  #cost = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: Limits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
  }

  /** What is held, bytes. */
  get cost(): number {
    return this.#cost;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Whether a response to a request that takes so much would be kept. */
  hasRoomFor(cost: number): boolean {
    return cost + ENTRY_COST <= this.#limits.limitBytes;
  }

  /** @returns whether the response is kept: one whose conversation exceeds the limit by itself is not */
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
    this.#hold(previous as Entry<Item> | undefined, entry);
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

  /** An item of the output of a response. */
  item(owner: string, id: string): Item | undefined {
    this.#dropExpired();
    const found = this.#items.get(id);
    return found?.entry.owner === owner ? found.item : undefined;
  }

  /** @returns whether there was such a response */
  delete(owner: string, id: string): boolean {
    if (this.get(owner, id) === undefined) return false;
    this.#drop(id);
    return true;
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  /** The memory of what a response continues is held as long as its own: it is dropped when nothing continues it. */
  #hold(previous: Entry<Item> | undefined, entry: Entry<Item>): void {
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
    // Names of keys that are gone are not kept.
    if (account.cost === 0 && account.ids.size === 0) this.#owners.delete(owner);
  }

  #account(owner: string): { readonly ids: Set<string>; cost: number } {
    let account = this.#owners.get(owner);
    if (account === undefined) this.#owners.set(owner, (account = { ids: new Set(), cost: 0 }));
    return account;
  }

  #evict(): void {
    while (this.#cost > this.#limits.limitBytes) {
      let most: { readonly ids: Set<string>; cost: number } | undefined;
      for (const account of this.#owners.values())
        if (account.ids.size > 0 && account.cost > (most?.cost ?? 0)) most = account;
      const [oldest] = most?.ids ?? [];
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

  /** What has expired is dropped without a request, too: it is somebody's conversation. */
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
