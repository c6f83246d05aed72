import type { OllamaChatRequest, OllamaMessage, OllamaToolCall } from "../../ollama/types.ts";
import type { Message, MessagesRequest } from "./schema.ts";
import { applyExtensions, toOllamaOptions } from "../common/sampling-options.ts";
import { schemaFormat } from "../common/output-format.ts";
import { type ChosenTools, type Tool, type ToolChoice, chooseTools } from "../common/tool-choice.ts";

type Block = Exclude<Message["content"], string>[number];
type ResultBlock = Extract<Block, { type: "tool_result" }>;
type TextOrImage = Extract<Block, { type: "text" | "image" }>;

/** Anthropic's request as Ollama's. Pure: the same request always gives the same. */
export function toOllamaChat(request: MessagesRequest, chosen: ChosenTools): OllamaChatRequest {
  const options = toOllamaOptions(
    { temperature: request.temperature, top_p: request.top_p, stop: request.stop_sequences },
    request.max_tokens,
  );
  if (request.top_k != null) options["top_k"] = request.top_k;
  const chat: OllamaChatRequest = {
    model: request.model,
    messages: [...systemOf(request), ...toOllamaMessages(request.messages)],
    stream: request.stream === true,
    options,
    truncate: false,
    shift: false,
  };
  applyExtensions(chat, request);
  if (chosen.format !== undefined) chat.format = chosen.format;
  if (chosen.tools !== undefined) chat.tools = chosen.tools;
  if (request.thinking != null) chat.think = request.thinking.type !== "disabled";
  return chat;
}

/** The tools that the model is shown, and what its response is held to. @throws ApiError */
export function chosenTools({
  tools,
  tool_choice: choice,
  output_config: output,
}: MessagesRequest): ChosenTools {
  const parallel = !(choice && "disable_parallel_tool_use" in choice && choice.disable_parallel_tool_use);
  const chosen = chooseTools(
    (tools ?? []).map(toTool),
    toToolChoice(choice),
    parallel,
    (index) => `tools[${index}].input_schema`,
  );
  if (chosen.format !== undefined || output?.format == null) return chosen;
  return { ...chosen, ...schemaFormat(output.format.schema, "output_config.format.schema") };
}

function toTool({
  name,
  description,
  input_schema: parameters,
}: NonNullable<MessagesRequest["tools"]>[number]): Tool {
  return {
    type: "function",
    function: { name, ...(description === undefined ? {} : { description }), parameters },
  };
}

function toToolChoice(choice: MessagesRequest["tool_choice"]): ToolChoice {
  switch (choice?.type) {
    case "any":
      return "required";
    case "tool":
      return { name: choice.name };
    case "none":
      return "none";
    case "auto":
    case undefined:
      return "auto";
  }
}

function systemOf({ system }: MessagesRequest): OllamaMessage[] {
  const content = typeof system === "string" ? system : textOf(system ?? []);
  return content === "" ? [] : [{ role: "system", content }];
}

function toOllamaMessages(messages: readonly Message[]): OllamaMessage[] {
  // A tool's result names the call it belongs to; models' templates want the tool's name.
  const toolNames = new Map<string, string>();
  return messages.flatMap((message): OllamaMessage[] => {
    const { role, content } = message;
    if (typeof content === "string") return [{ role, content }];
    const calls: OllamaToolCall[] = [];
    const said: TextOrImage[] = [];
    const results: ResultBlock[] = [];
    let thinking = "";
    for (const block of content) {
      switch (block.type) {
        case "text":
        case "image":
          said.push(block);
          break;
        case "tool_use":
          toolNames.set(block.id, block.name);
          calls.push({ id: block.id, function: { name: block.name, arguments: block.input } });
          break;
        case "tool_result":
          results.push(block);
          break;
        case "thinking":
          thinking += block.thinking;
          break;
        case "redacted_thinking":
          // Nobody but its maker can read it.
          break;
      }
    }
    const own: OllamaMessage = {
      role,
      content: textOf(said),
      ...withImages(said),
      ...(thinking === "" ? {} : { thinking }),
      ...(calls.length > 0 ? { tool_calls: calls } : {}),
    };
    const answers = results.map((result) => toToolMessage(result, toolNames.get(result.tool_use_id)));
    // What the tools said comes before what the user says to it.
    return said.length === 0 && answers.length > 0 ? answers : [...answers, own];
  });
}

function toToolMessage(result: ResultBlock, toolName: string | undefined): OllamaMessage {
  const blocks = typeof result.content === "string" ? [] : (result.content ?? []);
  const text = typeof result.content === "string" ? result.content : textOf(blocks);
  return {
    role: "tool",
    content: result.is_error === true ? `Error: ${text}` : text,
    ...withImages(blocks),
    tool_call_id: result.tool_use_id,
    ...(toolName === undefined ? {} : { tool_name: toolName }),
  };
}

function textOf(blocks: readonly TextOrImage[]): string {
  return blocks.flatMap((block) => (block.type === "text" ? block.text : [])).join("\n");
}

function withImages(blocks: readonly TextOrImage[]): { images?: string[] } {
  const images = blocks.flatMap((block) => (block.type === "image" ? block.source.data : []));
  return images.length > 0 ? { images } : {};
}
