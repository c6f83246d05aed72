import type { ResponsesItem } from "../apis/openai-responses/input-schema.ts";
import {
  ENTRY_COST,
  type NewResponse,
  type ResponseStore,
  type StoredResponse,
} from "../response-store/response-store.ts";
import {
  conversationOf,
  type ResponseSource,
  type SharedResponseStore,
  type StoredItem,
} from "../response-store/stored-conversation.ts";
import { DELETE, FIND_ITEMS, LOAD, PUT } from "./response-scripts.ts";
import type { StateStore } from "./state-store.ts";

type Stored = StoredResponse<StoredItem>;

export interface ResponseLimits {
  readonly ttlMs: number;
  /** What all responses may take together, bytes. */
  readonly limitBytes: number;
}

/** What the store has of a response, beside what is counted. */
interface Data {
  readonly response: object;
  readonly input: readonly StoredItem[];
  readonly output: readonly StoredItem[];
}

type Row = readonly [id: string, cost: string, conversation: string, length: string, data: string];

/**
 * Stored responses that all gateways of a stack have in common. What is stored while the store is away is this gateway's
 * own, and goes on there when it is continued.
 */
export class SharedResponses implements SharedResponseStore {
  readonly #store: StateStore;
  readonly #local: ResponseStore<StoredItem>;
  readonly #limits: ResponseLimits;

  constructor(store: StateStore, local: ResponseStore<StoredItem>, limits: ResponseLimits) {
    this.#store = store;
    this.#local = local;
    this.#limits = limits;
  }

  /** A response with all that led to it. Never rejects. */
  async get(owner: string, id: string, limit = this.#limits.limitBytes): Promise<Stored | undefined> {
    try {
      const rows = (await this.#run(LOAD, [owner, id, limit])) as Row[];
      return rows.length === 0 ? this.#local.get(owner, id) : storedOf(rows);
    } catch {
      return this.#local.get(owner, id);
    }
  }

  /** @returns whether there was such a response. Never rejects. */
  async delete(owner: string, id: string): Promise<boolean> {
    const wasLocal = this.#local.delete(owner, id);
    try {
      return (await this.#run(DELETE, [owner, id])) === 1 || wasLocal;
    } catch {
      return wasLocal;
    }
  }

  /**
   * What a request refers to. Never rejects.
   *
   * @param limit what may be loaded of it, bytes
   */
  async open(
    owner: string,
    previousId: string | undefined,
    itemIds: readonly string[],
    limit: number,
  ): Promise<ResponseSource> {
    const [previous, items] = await Promise.all([
      previousId === undefined ? undefined : this.get(owner, previousId, limit),
      this.#items(owner, itemIds, limit),
    ]);
    const local = this.#local;
    return {
      get: () => previous,
      item: (_owner, id) => items.get(id) ?? local.item(owner, id),
      hasRoomFor: (cost) => local.hasRoomFor(cost),
      put: (_owner, added) => this.#put(owner, added),
    };
  }

  async #items(
    owner: string,
    ids: readonly string[],
    limit: number,
  ): Promise<ReadonlyMap<string, ResponsesItem>> {
    const found = new Map<string, ResponsesItem>();
    if (ids.length === 0) return found;
    try {
      for (const data of (await this.#run(FIND_ITEMS, [owner, limit, ...ids])) as string[])
        for (const item of (JSON.parse(data) as Data).output)
          for (const id of idsOf([item])) found.set(id, item);
    } catch {
      // It is away: what this gateway has itself is all there is.
    }
    return found;
  }

  /** It is on its way to the store before its response is to its client. */
  #put(owner: string, added: NewResponse<StoredItem>): boolean {
    const isLocal = added.previous !== undefined && this.#local.get(owner, added.previous.id) !== undefined;
    const before = isLocal ? withConversation(added) : added;
    const local = isLocal ? added : withConversation(added);
    const cost = before.cost + ENTRY_COST;
    const conversation = cost + (before.previous?.conversationCost ?? 0);
    if (conversation > this.#limits.limitBytes) return false;
    if (!this.#store.isUp) return this.#local.put(owner, local);
    void this.#send(owner, before, cost, conversation).catch(() => this.#local.put(owner, local));
    return true;
  }

  async #send(
    owner: string,
    added: NewResponse<StoredItem>,
    cost: number,
    conversation: number,
  ): Promise<void> {
    const { id, response, input, output, previous } = added;
    const length = input.length + output.length + (previous?.length ?? 0);
    const data = JSON.stringify({ response, input, output } satisfies Data);
    const { ttlMs, limitBytes } = this.#limits;
    const ids = idsOf(output).join(" ");
    const before = previous?.id ?? "";
    const args = [owner, id, cost, conversation, length, data, before, ids, ttlMs, limitBytes];
    // What it continues was dropped while it was generated: it brings that along.
    if ((await this.#run(PUT, args)) !== -1 || previous === undefined) return;
    const all = withConversation(added);
    await this.#send(owner, all, all.cost + ENTRY_COST, all.cost + ENTRY_COST);
  }

  #run(script: typeof PUT, args: readonly (string | number)[]): Promise<unknown> {
    return this.#store.run(script, [this.#store.key("responses")], args);
  }
}

/** A response, made of those before it: the oldest comes last. */
function storedOf(rows: readonly Row[]): Stored | undefined {
  let stored: Stored | undefined;
  for (const [id, cost, conversation, length, data] of rows.toReversed()) {
    const { response, input, output } =
      data === "" ? { response: {}, input: [], output: [] } : (JSON.parse(data) as Data);
    stored = {
      id,
      response,
      input,
      output,
      cost: Number(cost),
      conversationCost: Number(conversation),
      length: Number(length),
      previous: stored,
    };
  }
  return stored;
}

/** The same, with the items before it as its own. */
function withConversation(added: NewResponse<StoredItem>): NewResponse<StoredItem> {
  const { previous } = added;
  if (previous === undefined) return added;
  return {
    ...added,
    input: [...conversationOf(previous), ...added.input],
    cost: added.cost + previous.conversationCost,
    previous: undefined,
  };
}

function idsOf(items: readonly StoredItem[]): string[] {
  return items.flatMap((item) => ("id" in item && typeof item.id === "string" ? [item.id] : []));
}
