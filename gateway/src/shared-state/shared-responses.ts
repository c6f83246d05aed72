import { ApiError } from "../errors.ts";
import type { ResponsesItem } from "../apis/openai-responses/input-schema.ts";
import {
  ENTRY_COST,
  type NewResponse,
  type ResponseStore,
  type StoredResponse,
} from "../response-store/response-store.ts";
import {
  type Charge,
  conversationOf,
  conversationTooLarge,
  type ResponseSource,
  type SharedResponseStore,
  type StoredItem,
} from "../response-store/stored-conversation.ts";
import type { ResponseConnection } from "./response-connection.ts";
import { DELETE, FIND_ITEMS, LOAD, PUT } from "./response-scripts.ts";
import type { StateStore } from "./state-store.ts";

type Stored = StoredResponse<StoredItem>;

export interface ResponseLimits {
  readonly ttlMs: number;
  /** Maximum total size of all responses, in bytes. */
  readonly limitBytes: number;
}

/** The payload of a stored response. */
interface StoredData {
  readonly response: object;
  readonly input: readonly StoredItem[];
  readonly output: readonly StoredItem[];
}

// Larger conversations stay with their gateway, as the server is blocked while it reads or writes one.
const SHARED_BYTES = 4 * 1024 * 1024;

// Up to this size, responses are loaded immediately. Larger ones are charged to the body budget first, and loaded one
// at a time.
const SMALL_BYTES = 64 * 1024;

type Row = readonly [id: string, cost: string, conversation: string, length: string, data: string];

/**
 * Stored responses shared by all gateways of a stack. Responses stored while the store is unreachable, or too large for
 * it, stay with this gateway, as do their continuations.
 */
export class SharedResponses implements SharedResponseStore {
  readonly #store: StateStore;
  readonly #connection: ResponseConnection;
  readonly #local: ResponseStore<StoredItem>;
  readonly #limits: ResponseLimits;
  /** Settles when the last of the one-at-a-time loads has ended. */
  #loading: Promise<unknown> = Promise.resolve();
  /** Number of bytes being sent to the store. */
  #sending = 0;

  constructor(
    store: StateStore,
    connection: ResponseConnection,
    local: ResponseStore<StoredItem>,
    limits: ResponseLimits,
  ) {
    this.#store = store;
    this.#connection = connection;
    this.#local = local;
    this.#limits = limits;
  }

  /**
   * Returns a response with its conversation.
   *
   * @throws ApiError if it exceeds the body budget
   */
  async get(owner: string, id: string, charge: Charge, limit = SHARED_BYTES): Promise<Stored | undefined> {
    const own = this.#local.get(owner, id);
    if (own !== undefined) return own;
    const load = (maxCost: number) => this.#run(LOAD, [owner, id, maxCost]) as Promise<Row[]>;
    const rows = await this.#load(load, (result) => Number(result[0]?.[2] ?? 0), charge, limit);
    if (rows === "too large") throw conversationTooLarge(limit, "previous_response_id");
    return rows === undefined ? undefined : toStored(rows);
  }

  /**
   * Never rejects.
   *
   * @returns whether the response existed
   */
  async delete(owner: string, id: string): Promise<boolean> {
    const wasLocal = this.#local.delete(owner, id);
    try {
      return (await this.#run(DELETE, [owner, id])) === 1 || wasLocal;
    } catch {
      return wasLocal;
    }
  }

  /**
   * Loads what a request refers to.
   *
   * @param bodyLimit maximum size of a request body, in bytes
   * @throws ApiError if it exceeds the body budget
   */
  async open(
    owner: string,
    previousId: string | undefined,
    itemIds: readonly string[],
    { charge, bodyLimit }: { readonly charge: Charge; readonly bodyLimit: number },
  ): Promise<ResponseSource> {
    const limit = Math.min(bodyLimit, SHARED_BYTES);
    const previous = previousId === undefined ? undefined : await this.get(owner, previousId, charge, limit);
    const items = await this.#items(owner, itemIds, charge, limit);
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
    charge: Charge,
    limit: number,
  ): Promise<ReadonlyMap<string, ResponsesItem>> {
    const result = new Map<string, ResponsesItem>();
    const others = ids.filter((id) => this.#local.item(owner, id) === undefined);
    if (others.length === 0) return result;
    const load = (maxCost: number) =>
      this.#run(FIND_ITEMS, [owner, maxCost, ...others]) as Promise<[number, ...string[]]>;
    const loaded = await this.#load(load, ([cost]) => cost, charge, limit);
    if (loaded === "too large") throw conversationTooLarge(limit, "input");
    const [, ...all] = loaded ?? [0];
    for (const data of all)
      for (const item of (JSON.parse(data) as StoredData).output)
        for (const id of idsOf([item])) result.set(id, item);
    return result;
  }

  /**
   * Charges a large result to the body budget before loading it. Resolves to undefined if the store is unreachable.
   *
   * @param load loads up to the given number of bytes; returns only the cost of a larger result
   */
  async #load<Result>(
    load: (maxCost: number) => Promise<Result>,
    costOf: (result: Result) => number,
    charge: Charge,
    limit: number,
  ): Promise<Result | "too large" | undefined> {
    const small = Math.min(SMALL_BYTES, limit);
    const result = await load(small).catch(() => undefined);
    if (result === undefined) return undefined;
    const cost = costOf(result);
    if (cost > limit) return "too large";
    if (!charge(cost)) throw new ApiError("bodies_full");
    if (cost <= small) return result;
    // The client may have disconnected while earlier loads ran.
    const loading = this.#loading.then(() => (charge(0) ? load(cost) : undefined)).catch(() => undefined);
    this.#loading = loading;
    return loading;
  }

  /** Starts sending the response to the store before it is sent to the client. */
  #put(owner: string, added: NewResponse<StoredItem>): boolean {
    const isLocal = added.previous !== undefined && this.#local.get(owner, added.previous.id) !== undefined;
    const before = isLocal ? withConversation(added) : added;
    const local = isLocal ? added : withConversation(added);
    const cost = before.cost + ENTRY_COST;
    const conversation = cost + (before.previous?.conversationCost ?? 0);
    if (conversation > this.#limits.limitBytes) return false;
    const isSlow = this.#sending + cost > this.#limits.limitBytes;
    if (!this.#store.isUp || conversation > SHARED_BYTES || isSlow) return this.#local.put(owner, local);
    this.#sending += cost;
    void this.#send(owner, before, cost, conversation)
      .catch(() => this.#local.put(owner, local))
      .finally(() => {
        this.#sending -= cost;
      });
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
    const data = JSON.stringify({ response, input, output } satisfies StoredData);
    const { ttlMs, limitBytes } = this.#limits;
    const ids = idsOf(output).join(" ");
    const before = previous?.id ?? "";
    const args = [owner, id, cost, conversation, length, data, before, ids, ttlMs, limitBytes];
    // The previous response was dropped during generation, so store the complete conversation with this one.
    if ((await this.#run(PUT, args)) !== -1 || previous === undefined) return;
    const all = withConversation(added);
    await this.#send(owner, all, all.cost + ENTRY_COST, all.cost + ENTRY_COST);
  }

  #run(script: typeof PUT, args: readonly (string | number)[]): Promise<unknown> {
    return this.#connection.run(script, [this.#store.key("responses")], args);
  }
}

/** Links responses to a conversation; rows are newest first. */
function toStored(rows: readonly Row[]): Stored | undefined {
  let stored: Stored | undefined;
  for (const [id, cost, conversation, length, data] of rows.toReversed()) {
    const { response, input, output } =
      data === "" ? { response: {}, input: [], output: [] } : (JSON.parse(data) as StoredData);
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

/** Adds the earlier items of the conversation to the response's own input. */
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
