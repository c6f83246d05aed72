import type * as z from "zod";
import { invalidValue } from "../../errors.ts";
import type { OllamaChatRequest, OllamaMessage, OllamaToolCall } from "../../ollama/types.ts";
import { ToolArguments } from "../common/tool-arguments.ts";
import type { ChatMessage, ChatRequest, effort as effortSchema } from "./schema.ts";
import { toCommonRequest } from "../common/sampling-options.ts";
import { type OutputFormat, schemaFormat } from "../common/output-format.ts";
import { placeSystemMessages } from "../common/system-messages.ts";
import type { IgnoredParameters } from "../common/parameters.ts";
import {
  type ChosenTools,
  type OfferedTool,
  type Tool,
  type ToolChoice,
  chooseTools,
} from "../common/tool-choice.ts";

type Content = Exclude<ChatMessage["content"], null | undefined>;

/**
 * Converts OpenAI's chat request to Ollama's. A pure function.
 *
 * @throws ApiError
 */
export function toOllamaChat(request: ChatRequest, chosen: ChosenTools): OllamaChatRequest {
  const chat: OllamaChatRequest = {
    ...toCommonRequest(request, request.max_completion_tokens ?? request.max_tokens),
    messages: placeSystemMessages(toOllamaMessages(request.messages)),
  };
  if (chosen.format !== undefined) chat.format = chosen.format;
  if (chosen.tools !== undefined) chat.tools = chosen.tools;
  if (request.reasoning_effort) chat.think = toOllamaThink(request.reasoning_effort);
  if (request.top_logprobs && !request.logprobs) {
    throw invalidValue("top_logprobs", "it is allowed only with 'logprobs'.");
  }
  if (request.logprobs) {
    chat.logprobs = true;
    chat.top_logprobs = request.top_logprobs ?? 0;
  }
  return chat;
}

/** Returns the functions among the tools. Other tools need OpenAI's servers and are ignored. */
function functionsOf(tools: ChatRequest["tools"], ignored: IgnoredParameters): OfferedTool[] {
  return (tools ?? []).flatMap((tool, index): OfferedTool[] => {
    if (tool.type === undefined || tool.type === "function") {
      const { function: called } = tool as Pick<Tool, "function">;
      const param = `tools[${index}].function.parameters`;
      return [{ tool: { type: "function", function: called }, param }];
    }
    ignored.ignore(`tools[${index}]`);
    return [];
  });
}

/** The tools for the model, and the output format: from the client's tool choice, or else its `response_format`. */
export function chosenTools(
  { tools, tool_choice: choice, parallel_tool_calls: parallel, response_format: format }: ChatRequest,
  ignored: IgnoredParameters,
): ChosenTools {
  if (!tools?.length && choice == null) return toOutputFormat(format);
  const chosen = chooseTools(functionsOf(tools, ignored), toToolChoice(choice), parallel !== false);
  return chosen.format === undefined ? { ...chosen, ...toOutputFormat(format) } : chosen;
}

function toToolChoice(choice: ChatRequest["tool_choice"]): ToolChoice {
  if (choice == null) return "auto";
  if (typeof choice === "string") return choice;
  if (choice.type === "function") return { name: choice.function.name };
  const { mode, tools } = choice.allowed_tools;
  return { mode, allowed: tools.map((tool) => tool.function.name) };
}

function toOutputFormat(format: ChatRequest["response_format"]): OutputFormat {
  switch (format?.type) {
    case "json_object":
      return { format: "json" };
    case "json_schema": {
      const { schema } = format.json_schema;
      return schema === undefined
        ? { format: "json" }
        : schemaFormat(schema, "response_format.json_schema.schema");
    }
    case "text":
    case undefined:
      return {};
  }
}

/** OpenAI has seven efforts, Ollama three and none. */
export function toOllamaThink(effort: z.output<typeof effortSchema>): boolean | string {
  switch (effort) {
    case "none":
      return false;
    case "minimal":
      return "low";
    case "xhigh":
    case "max":
      return "high";
    case "low":
    case "medium":
    case "high":
      return effort;
  }
}

function toOllamaMessages(messages: readonly ChatMessage[]): OllamaMessage[] {
  // Tool names by call ID: results only have the ID, but models' templates need the name.
  const toolNames = new Map<string, string>();
  const toolArguments = new ToolArguments();
  return messages.map((message) => {
    switch (message.role) {
      case "system":
      case "developer":
        return { role: "system", content: textOf(message.content) };
      case "user":
        return withImages({ role: "user", content: textOf(message.content) }, imagesOf(message.content));
      case "assistant": {
        const thinking = message.reasoning_content ?? message.reasoning;
        const called = message.function_call;
        const calls: ToolCall[] = [...(message.tool_calls ?? []), ...(called ? [{ function: called }] : [])];
        for (const {
          id,
          function: { name },
        } of calls) {
          if (id !== undefined) toolNames.set(id, name);
        }
        return {
          role: "assistant",
          content: textOf(message.content ?? message.refusal ?? ""),
          ...(thinking ? { thinking } : {}),
          ...(calls.length > 0
            ? { tool_calls: calls.map((call) => toOllamaToolCall(call, toolArguments)) }
            : {}),
        };
      }
      case "tool": {
        const { tool_call_id: id, name, content } = message;
        const toolName = (id === undefined ? undefined : toolNames.get(id)) ?? name;
        const result = {
          role: "tool",
          content: textOf(content),
          ...(id === undefined ? {} : { tool_call_id: id }),
          ...(toolName === undefined ? {} : { tool_name: toolName }),
        } as const;
        return withImages(result, imagesOf(content));
      }
      case "function":
        return { role: "tool", content: message.content ?? "", tool_name: message.name };
    }
  });
}

interface ToolCall {
  readonly id?: string | undefined;
  readonly function: {
    readonly name: string;
    readonly arguments?: string | Readonly<Record<string, unknown>> | undefined;
  };
}

function toOllamaToolCall({ id, function: called }: ToolCall, toolArguments: ToolArguments): OllamaToolCall {
  const { name, arguments: args = {} } = called;
  const read = typeof args === "string" ? toolArguments.read(args) : args;
  return { ...(id === undefined ? {} : { id }), function: { name, arguments: read } };
}

function textOf(content: Content): string {
  if (typeof content === "string") return content;
  return content.flatMap((part) => partText(part) ?? []).join("\n");
}

function partText(part: Exclude<Content, string>[number]): string | undefined {
  switch (part.type) {
    case "text":
      return part.text;
    case "refusal":
      return part.refusal;
    case "image_url":
    case "other":
      return undefined;
  }
}

function withImages(message: OllamaMessage, images: string[]): OllamaMessage {
  return images.length > 0 ? { ...message, images } : message;
}

function imagesOf(content: Content): string[] {
  if (typeof content === "string") return [];
  return content.flatMap((part) => (part.type === "image_url" ? base64Of(part.image_url.url) : []));
}

/** Ollama takes images without the prefix of the data URL. */
export function base64Of(dataUrl: string): string {
  return dataUrl.slice(dataUrl.indexOf(",") + 1);
}
