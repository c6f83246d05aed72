import { ApiError } from "../errors.ts";
import type { Storage } from "../apis/openai-responses/adapter.ts";
import type { ResponsesItem } from "../apis/openai-responses/input-schema.ts";
import { newItemId } from "../apis/openai-responses/output-items.ts";
import { itemsOf } from "../apis/openai-responses/request.ts";
import type { FinishedResponse } from "../apis/openai-responses/response-object.ts";
import type { ResponsesRequest } from "../apis/openai-responses/schema.ts";
import type { ResponseStore, StoredResponse } from "./response-store.ts";

/** An item as it is stored: of the request's input, or of a response's output. */
export type StoredItem = ResponsesItem;

type Stored = StoredResponse<StoredItem>;

/** Where what a request refers to is stored, and where its own response will be. */
export type ResponseSource = Pick<ResponseStore<StoredItem>, "get" | "item" | "put" | "hasRoomFor">;

/** Counts so many bytes more that a request holds. False: there is no room for them. */
export type Charge = (bytes: number) => boolean;

/** Stored responses that several gateways have in common. */
export interface SharedResponseStore {
  get(owner: string, id: string, charge: Charge): Promise<Stored | undefined>;
  delete(owner: string, id: string): Promise<boolean>;
  /** Loads what a request refers to. @param given.bodyLimit what a request may send itself, bytes */
  open(
    owner: string,
    previousId: string | undefined,
    itemIds: readonly string[],
    given: { readonly charge: Charge; readonly bodyLimit: number },
  ): Promise<ResponseSource>;
}

/** Who sent a request, what its body takes, and what a conversation may take that it continues, bytes. */
interface Sender {
  readonly owner: string;
  readonly cost: number;
  readonly limit: number;
}

/** What a request continues, and how its response is stored. */
export interface StoredConversation extends Storage {
  /** What the items take that are stored already, bytes. */
  readonly earlierCost: number;
}

// As many as a request may send itself.
const MAX_ITEMS = 2048;

// What an item takes apart from its text.
const ITEM_COST = 512;

/**
 * Puts what is stored in front of a request's input, and in place of its references.
 *
 * @throws ApiError when something is referred to that is not stored, or when there is nothing to respond to
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
  const given = itemsOf(request.input);
  const input = given.map((item, i) => resolve(store, owner, item, i));
  // They may be dropped from the store while this response is in it.
  const referencedCost = costOf(input.filter((item, i) => item !== given[i]));
  const earlierCost = referencedCost + (previous?.conversationCost ?? 0);
  if (earlierCost > limit) {
    throw conversationTooLarge(limit, previousId == null ? "input" : "previous_response_id");
  }
  const earlier = previous === undefined ? [] : conversationOf(previous);
  if (input.length + earlier.length === 0) {
    throw new ApiError("missing_required_parameter", {
      message: "Missing required parameter: 'input'.",
      param: "input",
    });
  }
  if (input.length + earlier.length > MAX_ITEMS) {
    throw new ApiError("invalid_value", {
      message: `Invalid value for 'previous_response_id': the conversation has more than ${MAX_ITEMS} items. Start a new one.`,
      param: "previous_response_id",
    });
  }
  const keep = (response: FinishedResponse): boolean => {
    const { id, output, ...rest } = response;
    return store.put(owner, {
      id,
      response: rest,
      input: input.map(withId),
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

/** The items that a request refers to by their ids. */
export function referencedItems({ input }: ResponsesRequest): string[] {
  return itemsOf(input).flatMap((item) => (item.type === "item_reference" ? [item.id] : []));
}

/** All items that led to a response, and its own, oldest first. */
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

function withId(item: StoredItem): StoredItem {
  if (item.type === "unknown" || item.id != null) return item;
  return { ...item, id: newItemId("msg") };
}

function costOf(items: readonly object[]): number {
  return items.length === 0 ? 0 : 2 * JSON.stringify(items).length + ITEM_COST * items.length;
}
