import * as z from "zod";
import { type ApiError, invalidValue, unsupportedValue } from "../../errors.ts";
import type { IgnoredParameters } from "../common/parameters.ts";
import type { OfferedTool, Tool } from "../common/tool-choice.ts";
import { MAX_TOOLS } from "../openai-chat/schema.ts";
import type { OtherBlock } from "./blocks.ts";
import { type ShownTool, clientTool } from "./client-tools.ts";
import { type CustomTool, type Message, type ConversationRequest, customTool } from "./schema.ts";

interface KnownTool {
  readonly tool: ShownTool;
  /** The request's parameter with its schema. */
  readonly param: string;
  state: "shown" | "deferred" | "removed";
}

/**
 * Returns the tools that the client runs, some with Anthropic's schemas; omits those of its servers. Tools with
 * `defer_loading` are shown once the conversation refers to them.
 *
 * @param ignored receives the names of omitted tools
 * @throws ApiError if an omitted tool must be called, or the messages add too many
 */
export function offeredTools(
  { tools, tool_choice: choice, messages }: ConversationRequest,
  ignored: IgnoredParameters,
): OfferedTool[] {
  const known = new Map<string, KnownTool>();
  const omitted = new Map<string, string>();
  for (const [index, tool] of (tools ?? []).entries()) {
    const shown = isCustom(tool) ? tool : clientTool(tool);
    if (shown === undefined) {
      // Only its type has been validated.
      omitted.set(`tools[${index}] (${String(tool.type)})`, typeof tool.name === "string" ? tool.name : "");
    } else {
      const state = shown.defer_loading === true ? "deferred" : "shown";
      known.set(shown.name, { tool: shown, param: `tools[${index}].input_schema`, state });
    }
  }
  if (choice?.type === "tool" && !known.has(choice.name) && [...omitted.values()].includes(choice.name)) {
    throw notRunError(`the tool '${choice.name}' would have to run on the server`);
  }
  if (choice?.type === "any" && known.size === 0 && omitted.size > 0) {
    throw notRunError("all of the tools would have to run on the server");
  }
  for (const name of omitted.keys()) ignored.ignore(name);

  for (const { content } of messages) {
    if (typeof content === "string") continue;
    for (const block of content ?? []) applyChange(block, known);
  }
  if (known.size > MAX_TOOLS) {
    throw invalidValue(
      "messages",
      `with the tools that they add, there are more than ${MAX_TOOLS}. Send fewer.`,
    );
  }
  const all = [...known.values()];
  // Show deferred tools if the tool that would find them is omitted or missing.
  const isSearchOmitted = [...omitted.keys()].some((name) => name.includes("(tool_search_tool_"));
  const showsDeferred = isSearchOmitted || !all.some(({ state }) => state === "shown");
  const shown = all.filter(({ tool, state }) => {
    if (state !== "deferred") return state === "shown";
    return showsDeferred || (choice?.type === "tool" && choice.name === tool.name);
  });
  return shown.map(({ tool, param }) => ({ tool: toOllamaTool(tool), param }));
}

function isCustom(tool: NonNullable<ConversationRequest["tools"]>[number]): tool is CustomTool {
  return tool.type === undefined || tool.type === "custom";
}

function notRunError(why: string): ApiError {
  return unsupportedValue(
    "tool_choice",
    `${why}, and the gateway runs no tools. Let the model choose, or name a tool of your own.`,
  );
}

function toOllamaTool({ name, description, input_schema: parameters }: ShownTool): Tool {
  return {
    type: "function",
    function: { name, ...(description == null ? {} : { description }), parameters },
  };
}

/** Shows, adds or removes the tools that a block refers to. */
function applyChange(block: AnyBlock, known: Map<string, KnownTool>): void {
  switch (block.type) {
    case "tool_use":
      show(block.name, known);
      break;
    case "tool_result":
      if (typeof block.content === "string") break;
      for (const part of block.content ?? []) if (part.type === "tool_reference") show(part.tool_name, known);
      break;
    case "tool_addition":
    case "tool_removal":
      changeTool(block, known);
      break;
    case "other":
      applyOther(block.block, known);
      break;
    case "container_upload":
    case "document":
    case "image":
    case "search_result":
    case "text":
    case "thinking":
      break;
  }
}

type AnyBlock = Exclude<NonNullable<Message["content"]>, string>[number];

const searchResult = z.looseObject({ tool_references: z.array(z.looseObject({ tool_name: z.string() })) });
const toolChanges = z.array(z.looseObject({ type: z.string(), tool: z.unknown() }));

function applyOther(
  { type, content, tool_changes: changes }: OtherBlock,
  known: Map<string, KnownTool>,
): void {
  if (type === "tool_search_tool_result") {
    for (const { tool_name: name } of searchResult.safeParse(content).data?.tool_references ?? [])
      show(name, known);
  } else if (type === "compaction") {
    for (const change of toolChanges.safeParse(changes).data ?? []) changeTool(change, known);
  }
}

function show(name: unknown, known: ReadonlyMap<string, KnownTool>): void {
  const tool = typeof name === "string" ? known.get(name) : undefined;
  if (tool !== undefined) tool.state = "shown";
}

function changeTool(
  change: { readonly type: string; readonly tool?: unknown },
  known: Map<string, KnownTool>,
): void {
  const { type, name, definition } = (change.tool ?? {}) as Readonly<Record<string, unknown>>;
  const tool = typeof name === "string" ? known.get(name) : undefined;
  if (change.type === "tool_removal") {
    if (tool !== undefined) tool.state = "removed";
  } else if (type === "tool_definition") {
    const added = customTool.safeParse(definition).data;
    if (added !== undefined) known.set(added.name, { tool: added, param: "messages", state: "shown" });
  } else show(name, known);
}
