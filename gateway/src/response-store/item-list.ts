import type { ResponsesTool } from "../apis/openai-responses/tool-schema.ts";
import { withOriginalType } from "../apis/openai-responses/unknown-variant.ts";
import { invalidValue } from "../errors.ts";
import type { StoredItem } from "./stored-conversation.ts";

/** Selects a page of items. */
export interface ItemQuery {
  readonly limit?: string;
  readonly order?: string;
  /** ID of the item before the first one. */
  readonly after?: string;
}

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 100;

/**
 * Returns a page of items, newest first by default.
 *
 * @throws ApiError `invalid_value`
 */
export function listItems(items: readonly StoredItem[], { limit, order = "desc", after }: ItemQuery): object {
  const count = limit === undefined ? DEFAULT_LIMIT : Number(limit);
  if (!Number.isInteger(count) || count < 1 || count > MAX_LIMIT)
    throw invalidValue("limit", `it must be a whole number from 1 to ${MAX_LIMIT}.`);
  if (order !== "asc" && order !== "desc") throw invalidValue("order", "it must be 'asc' or 'desc'.");
  const ordered = order === "asc" ? items : items.toReversed();
  const start = after === undefined ? 0 : ordered.findIndex((item) => idOf(item) === after) + 1;
  if (after !== undefined && start === 0)
    throw invalidValue("after", "it must be the id of an item of the list.");
  const data = ordered.slice(start, start + count);
  return {
    object: "list",
    data: data.map(shown),
    first_id: idOf(data[0]) ?? null,
    last_id: idOf(data.at(-1)) ?? null,
    has_more: start + count < ordered.length,
  };
}

/** An item with the client's own types of what the gateway does not know. */
function shown(item: StoredItem): object {
  if (item.type === "additional_tools") return { ...item, tools: item.tools.map(shownTool) };
  if (item.type === "reasoning") {
    return {
      ...item,
      ...(item.summary == null ? {} : { summary: item.summary.map(withOriginalType) }),
      ...(item.content == null ? {} : { content: item.content.map(withOriginalType) }),
    };
  }
  if (item.type === "message" && Array.isArray(item.content)) {
    return { ...item, content: item.content.map(withOriginalType) };
  }
  return withOriginalType(item);
}

function shownTool(tool: ResponsesTool): object {
  return tool.type === "namespace"
    ? { ...tool, tools: tool.tools.map(withOriginalType) }
    : withOriginalType(tool);
}

function idOf(item: StoredItem | undefined): string | undefined {
  return item !== undefined && "id" in item ? (item.id ?? undefined) : undefined;
}
