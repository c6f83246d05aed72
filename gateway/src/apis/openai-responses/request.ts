import { unsupportedValue } from "../../errors.ts";
import type { OllamaChatRequest } from "../../ollama/types.ts";
import { type OutputFormat, schemaFormat } from "../common/output-format.ts";
import type { IgnoredParameters } from "../common/parameters.ts";
import { toCommonRequest } from "../common/sampling-options.ts";
import { placeSystemMessages } from "../common/system-messages.ts";
import { type ChosenTools, type ToolChoice, chooseTools } from "../common/tool-choice.ts";
import { toOllamaThink } from "../openai-chat/request.ts";
import type { ResponsesItem } from "./input-schema.ts";
import { toOllamaMessages } from "./messages.ts";
import type { ResponsesRequest } from "./schema.ts";
import { ToolCatalog } from "./tool-catalog.ts";

/** Conversation of a request: stored items followed by its input. */
export interface Conversation {
  readonly items: readonly ResponsesItem[];
  /** Number of items from the store. */
  readonly earlier: number;
}

/** Conversation of a request that continues none. */
export function conversationOf({ input }: ResponsesRequest): Conversation {
  return { items: itemsOf(input), earlier: 0 };
}

export function itemsOf(input: ResponsesRequest["input"]): readonly ResponsesItem[] {
  if (input == null) return [];
  return typeof input === "string" ? [{ type: "message", role: "user", content: input }] : input;
}

/** Converts a request of this API to Ollama's. A pure function. */
export function toOllamaChat(
  request: ResponsesRequest,
  { items, earlier }: Conversation,
  tools: ToolCatalog,
  chosen: ChosenTools,
): OllamaChatRequest {
  const parameters = request.truncation === "auto" ? { ...request, truncate: true } : request;
  const chat: OllamaChatRequest = {
    ...toCommonRequest(parameters, request.max_output_tokens),
    messages: placeSystemMessages([
      ...(request.instructions ? [{ role: "system" as const, content: request.instructions }] : []),
      ...toOllamaMessages(items, tools, earlier),
    ]),
  };
  if (chosen.format !== undefined) chat.format = chosen.format;
  if (chosen.tools !== undefined) chat.tools = chosen.tools;
  if (request.reasoning?.effort) chat.think = toOllamaThink(request.reasoning.effort);
  if (request.top_logprobs || request.include?.includes("message.output_text.logprobs")) {
    chat.logprobs = true;
    chat.top_logprobs = request.top_logprobs ?? 0;
  }
  return chat;
}

/**
 * Catalog of the request's tools, including those added by its input.
 *
 * @throws ApiError for too many tools
 */
export function catalogOf(
  { tools }: ResponsesRequest,
  { items, earlier }: Conversation,
  ignored: IgnoredParameters,
): ToolCatalog {
  const lists = [{ tools: tools ?? [], param: "tools" }];
  for (const [i, item] of items.entries()) {
    if (item.type !== "additional_tools") continue;
    lists.push({ tools: item.tools, param: `input[${i - earlier}].tools` });
  }
  return new ToolCatalog(lists, ignored);
}

/**
 * The tools for the model, and the output format.
 *
 * @throws ApiError
 */
export function chosenTools(request: ResponsesRequest, catalog: ToolCatalog): ChosenTools {
  const { tool_choice: choice, parallel_tool_calls: parallel, text } = request;
  const { offered, omitted } = catalog;
  if (omitted.size > 0 && requiresCall(choice) && offered.length === 0) {
    throw unsupportedValue(
      "tool_choice",
      "it requires a tool call, but the gateway cannot run any of these tools: " +
        `${[...omitted].join(", ")}. Add a function, or set tool_choice to auto.`,
    );
  }
  const chosen = chooseTools(offered, toToolChoice(choice, catalog), parallel !== false);
  return chosen.format === undefined ? { ...chosen, ...toOutputFormat(text?.format) } : chosen;
}

function requiresCall(choice: ResponsesRequest["tool_choice"]): boolean {
  if (choice == null) return false;
  if (typeof choice === "string") return choice === "required";
  return choice.type !== "allowed_tools" || choice.mode === "required";
}

function toToolChoice(choice: ResponsesRequest["tool_choice"], catalog: ToolCatalog): ToolChoice {
  if (choice == null) return "auto";
  if (typeof choice === "string") return choice;
  if (choice.type !== "allowed_tools") return { name: catalog.nameOf(choice.name, choice.namespace) };
  const allowed = choice.tools.flatMap((tool) =>
    tool.type === "unknown" ? [] : catalog.nameOf(tool.name, tool.namespace),
  );
  return { mode: choice.mode, allowed };
}

function toOutputFormat(format: NonNullable<ResponsesRequest["text"]>["format"]): OutputFormat {
  switch (format?.type) {
    case "json_object":
      return { format: "json" };
    case "json_schema":
      return schemaFormat(format.schema, "text.format.schema");
    case "text":
    case undefined:
      return {};
  }
}
