import { ApiError, invalidValue, missingParameter } from "../errors.ts";
import { MAX_MESSAGES } from "../apis/openai-chat/schema.ts";
import type { Storage } from "../apis/openai-responses/adapter.ts";
import type { ResponsesItem } from "../apis/openai-responses/input-schema.ts";
import { newItemId } from "../apis/openai-responses/output-items.ts";
import { itemsOf } from "../apis/openai-responses/request.ts";
import type { FinishedResponse } from "../apis/openai-responses/response-object.ts";
import type { ResponsesRequest } from "../apis/openai-responses/schema.ts";
import type { ResponseStore, StoredResponse } from "./response-store.ts";

/** A stored item: from a request's input, or from a response's output. */
export type StoredItem = ResponsesItem;

type Stored = StoredResponse<StoredItem>;

/** Looks up what a request refers to, and stores its response. */
export type ResponseSource = Pick<ResponseStore<StoredItem>, "get" | "item" | "put" | "hasRoomFor">;

/** Charges additional bytes to a request. Returns false if that exceeds the budget. */
export type Charge = (bytes: number) => boolean;

/** Responses stored for all gateways of a stack. */
export interface SharedResponseStore {
  get(owner: string, id: string, charge: Charge): Promise<Stored | undefined>;
  delete(owner: string, id: string): Promise<boolean>;
  /**
   * Loads what a request refers to.
   *
   * @param limits.bodyLimit maximum size of a request body, in bytes
   */
  open(
    owner: string,
    previousId: string | undefined,
    itemIds: readonly string[],
    limits: { readonly charge: Charge; readonly bodyLimit: number },
  ): Promise<ResponseSource>;
}

/** Sender of a request, the size of its body, and the maximum size of a conversation that it continues, in bytes. */
interface Sender {
  readonly owner: string;
  readonly cost: number;
  readonly limit: number;
}

/** The conversation that a request continues, and how to store its response. */
interface StoredConversation extends Storage {
  /** Size of the items that are already stored, in bytes. */
  readonly earlierCost: number;
}

// Overhead per item.
const ITEM_COST = 512;

/**
 * Prepends the stored conversation to a request's input, and resolves item references.
 *
 * @throws ApiError if a referenced item or response is not stored, or if there is no input
 */
export function openConversation(
  store: ResponseSource,
  request: ResponsesRequest,
  { owner, cost, limit }: Sender,
): StoredConversation {
  const { previous_response_id: previousId } = request;
  const previous = previousId == null ? undefined : store.get(owner, previousId);
  if (previousId != null && previous === undefined) {
    throw new ApiError("previous_response_not_found", {
      message: `Previous response with id '${previousId}' not found. Send the conversation instead.`,
      param: "previous_response_id",
    });
  }
  const original = itemsOf(request.input);
  const input = original.map((item, i) => resolve(store, owner, item, i));
  // Referenced items may be dropped from the store before this response is.
  const referencedCost = costOf(input.filter((item, i) => item !== original[i]));
  const earlierCost = referencedCost + (previous?.conversationCost ?? 0);
  if (earlierCost > limit) {
    throw conversationTooLarge(limit, previousId == null ? "input" : "previous_response_id");
  }
  const earlier = previous === undefined ? [] : conversationOf(previous);
  if (input.length + earlier.length === 0) {
    throw missingParameter("input");
  }
  if (input.length + earlier.length > MAX_MESSAGES) {
    throw invalidValue(
      "previous_response_id",
      `the conversation has more than ${MAX_MESSAGES} items. Start a new one.`,
    );
  }
  const keep = (response: FinishedResponse): boolean => {
    const { id, output, ...rest } = response;
    return store.put(owner, {
      id,
      response: rest,
      input: input.map(ensureId),
      output: output as unknown as readonly StoredItem[],
      previous,
      cost: cost + referencedCost + costOf(output),
    });
  };
  return {
    conversation: { items: [...earlier, ...input], earlier: earlier.length },
    ...(request.store === false || !store.hasRoomFor(cost) ? {} : { keep }),
    earlierCost,
  };
}

export function conversationTooLarge(limit: number, param: "input" | "previous_response_id"): ApiError {
  return new ApiError("body_too_large", {
    message: `The stored conversation takes more than ${limit} bytes. Start a new one.`,
    param,
  });
}

/** IDs of the items that a request refers to. */
export function referencedItems({ input }: ResponsesRequest): string[] {
  return itemsOf(input).flatMap((item) => (item.type === "item_reference" ? [item.id] : []));
}

/** All items up to and including a response's own, oldest first. */
export function conversationOf(response: Stored): StoredItem[] {
  const parts: (readonly StoredItem[])[] = [];
  for (let each: Stored | undefined = response; each !== undefined; each = each.previous)
    parts.push(each.output, each.input);
  return parts.reverse().flat();
}

/** All items that led to a response. */
export function inputOf({ previous, input }: Stored): StoredItem[] {
  return previous === undefined ? [...input] : [...conversationOf(previous), ...input];
}

function resolve(store: ResponseSource, owner: string, item: ResponsesItem, index: number): StoredItem {
  if (item.type !== "item_reference") return item;
  const found = store.item(owner, item.id);
  if (found !== undefined) return found;
  throw new ApiError("item_not_found", {
    message:
      `Item with id '${item.id}' not found. Items are kept for a limited time, and not at all when 'store' is ` +
      "false. Send the item itself.",
    param: `input[${index}].id`,
  });
}

function ensureId(item: StoredItem): StoredItem {
  if (item.id != null) return item;
  return { ...item, id: newItemId("msg") };
}

function costOf(items: readonly object[]): number {
  return items.reduce((sum, item) => sum + itemCost(item), 0);
}

// A request can refer to the same long item 2048 times.
const itemCosts = new WeakMap<object, number>();

function itemCost(item: object): number {
  let cost = itemCosts.get(item);
  if (cost === undefined) {
    cost = 2 * JSON.stringify(item).length + ITEM_COST;
    itemCosts.set(item, cost);
  }
  return cost;
}
