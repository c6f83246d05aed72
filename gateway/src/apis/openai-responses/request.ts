import { ApiError } from "../../errors.ts";
import type { OllamaChatRequest, OllamaMessage, OllamaToolCall } from "../../ollama/types.ts";
import { base64Of, toOllamaThink } from "../openai-chat/request.ts";
import { ToolArguments } from "../common/tool-arguments.ts";
import { applyExtensions, toOllamaOptions } from "../common/sampling-options.ts";
import type { ResponsesItem, ResponsesRequest } from "./schema.ts";
import { type OutputFormat, schemaFormat } from "../common/output-format.ts";
import { type ChosenTools, type Tool, type ToolChoice, chooseTools } from "../common/tool-choice.ts";

type MessageItem = Extract<ResponsesItem, { role: string }>;
type Content = MessageItem["content"];

/** OpenAI's newer request as Ollama's. Pure: the same request always gives the same. */
export function toOllamaChat(request: ResponsesRequest, chosen: ChosenTools): OllamaChatRequest {
  const chat: OllamaChatRequest = {
    model: request.model,
    messages: [
      ...(request.instructions ? [{ role: "system" as const, content: request.instructions }] : []),
      ...toOllamaMessages(request.input),
    ],
    stream: request.stream === true,
    options: toOllamaOptions(request, request.max_output_tokens),
    truncate: false,
    shift: false,
  };
  applyExtensions(chat, request.truncation === "auto" ? { ...request, truncate: true } : request);
  if (chosen.format !== undefined) chat.format = chosen.format;
  if (chosen.tools !== undefined) chat.tools = chosen.tools;
  if (request.reasoning?.effort) chat.think = toOllamaThink(request.reasoning.effort);
  if (request.top_logprobs || request.include?.includes("message.output_text.logprobs")) {
    chat.logprobs = true;
    chat.top_logprobs = request.top_logprobs ?? 0;
  }
  return chat;
}

/** The tools that the model is shown, and what its response is held to. @throws ApiError */
export function chosenTools({
  tools,
  tool_choice: choice,
  parallel_tool_calls: parallel,
  text,
}: ResponsesRequest): ChosenTools {
  const chosen = chooseTools(
    (tools ?? []).map(toTool),
    toToolChoice(choice),
    parallel !== false,
    (index) => `tools[${index}].parameters`,
  );
  return chosen.format === undefined ? { ...chosen, ...toOutputFormat(text?.format) } : chosen;
}

function toToolChoice(choice: ResponsesRequest["tool_choice"]): ToolChoice {
  if (choice == null) return "auto";
  if (typeof choice === "string" || choice.type === "function") return choice;
  return { mode: choice.mode, allowed: choice.tools.map((tool) => tool.name) };
}

function toTool({ name, description, parameters }: NonNullable<ResponsesRequest["tools"]>[number]): Tool {
  return {
    type: "function",
    function: {
      name,
      ...(description == null ? {} : { description }),
      ...(parameters == null ? {} : { parameters }),
    },
  };
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

/** A turn of the model is several items here (its reasoning, its words, its calls), and one message for Ollama. */
function toOllamaMessages(input: ResponsesRequest["input"]): OllamaMessage[] {
  if (typeof input === "string") return [{ role: "user", content: input }];
  const toolNames = new Map<string, string>();
  const toolArguments = new ToolArguments();
  const messages: OllamaMessage[] = [];
  let turn:
    { role: "assistant"; content: string; thinking?: string; tool_calls?: OllamaToolCall[] } | undefined;
  const modelsTurn = (): NonNullable<typeof turn> => {
    if (turn === undefined) messages.push((turn = { role: "assistant", content: "" }));
    return turn;
  };
  for (const [i, item] of input.entries()) {
    if ("role" in item) {
      if (item.role === "assistant") {
        // Words after a call or other words begin a turn of their own.
        if (turn && (turn.tool_calls !== undefined || turn.content !== "")) turn = undefined;
        modelsTurn().content = textOf(item.content);
      } else {
        turn = undefined;
        messages.push({
          role: item.role === "developer" ? "system" : item.role,
          content: textOf(item.content),
          ...withImages(item.content),
        });
      }
      continue;
    }
    switch (item.type) {
      case "reasoning":
        turn = undefined;
        modelsTurn().thinking = [...(item.content ?? []), ...item.summary]
          .map((part) => part.text)
          .join("\n");
        break;
      case "function_call": {
        toolNames.set(item.call_id, item.name);
        const call = {
          id: item.call_id,
          function: { name: item.name, arguments: toolArguments.read(item.arguments) },
        };
        (modelsTurn().tool_calls ??= []).push(call);
        break;
      }
      case "function_call_output": {
        turn = undefined;
        const { call_id: id, name } = item;
        if (id == null && name == null) {
          const param = `input[${i}].call_id`;
          throw new ApiError("missing_required_parameter", {
            message: `Missing required parameter: '${param}'.`,
            param,
          });
        }
        const toolName = name ?? (id == null ? undefined : toolNames.get(id));
        messages.push({
          role: "tool",
          content: textOf(item.output),
          ...withImages(item.output),
          ...(id == null ? {} : { tool_call_id: id }),
          ...(toolName === undefined ? {} : { tool_name: toolName }),
        });
        break;
      }
    }
  }
  return messages;
}

function textOf(content: Content): string {
  if (typeof content === "string") return content;
  return content
    .flatMap((part) => {
      if (part.type === "refusal") return part.refusal;
      return part.type === "input_image" ? [] : part.text;
    })
    .join("\n");
}

function withImages(content: Content): { images?: string[] } {
  if (typeof content === "string") return {};
  const images = content.flatMap((part) => (part.type === "input_image" ? base64Of(part.image_url) : []));
  return images.length > 0 ? { images } : {};
}
