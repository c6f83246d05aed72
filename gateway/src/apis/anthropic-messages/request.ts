import type { OllamaChatRequest } from "../../ollama/types.ts";
import type { IgnoredParameters } from "../common/parameters.ts";
import { schemaFormat } from "../common/output-format.ts";
import { toCommonRequest } from "../common/sampling-options.ts";
import { type ChosenTools, type ToolChoice, chooseTools } from "../common/tool-choice.ts";
import { toOllamaThink } from "../openai-chat/request.ts";
import { effort as knownEffort } from "../openai-chat/schema.ts";
import type { Conversation } from "./conversation.ts";
import type { ConversationRequest, MessagesRequest } from "./schema.ts";
import { offeredTools } from "./tools.ts";

/** Converts a request of Anthropic's API to Ollama's. */
export function toOllamaChat(
  request: MessagesRequest,
  { messages }: Conversation,
  { format, tools }: ChosenTools,
  ignored: IgnoredParameters,
): OllamaChatRequest {
  const think = toThink(request, ignored);
  const chat: OllamaChatRequest = {
    // 0 means no limit to Ollama, but only fills the prompt cache in Anthropic's API.
    ...toCommonRequest({ ...request, stop: request.stop_sequences }, Math.max(1, request.max_tokens)),
    messages,
    ...(format === undefined ? {} : { format }),
    ...(tools === undefined ? {} : { tools }),
    ...(think === undefined ? {} : { think }),
  };
  if (request.top_k != null) chat.options["top_k"] = request.top_k;
  return chat;
}

/**
 * The tools for the model, and the output format.
 *
 * @throws ApiError
 */
export function chosenTools(request: ConversationRequest, ignored: IgnoredParameters): ChosenTools {
  const { tool_choice: choice, output_config: output, output_format: formerFormat } = request;
  const parallel = !(choice && "disable_parallel_tool_use" in choice && choice.disable_parallel_tool_use);
  const chosen = chooseTools(offeredTools(request, ignored), toToolChoice(choice), parallel);
  if (chosen.format !== undefined) return chosen;
  if (output?.format != null) {
    return { ...chosen, ...schemaFormat(output.format.schema, "output_config.format.schema") };
  }
  return formerFormat == null
    ? chosen
    : { ...chosen, ...schemaFormat(formerFormat.schema, "output_format.schema") };
}

function toToolChoice(choice: ConversationRequest["tool_choice"]): ToolChoice {
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

/** Undefined for the model's default. */
function toThink(
  { thinking, output_config: output, messages }: ConversationRequest,
  ignored: IgnoredParameters,
): boolean | string | undefined {
  if (thinking?.type === "disabled") return false;
  // A system message can change the effort in mid-conversation.
  const changed = messages.findLast((message) => message.role === "system" && message.output_config?.effort);
  const effort = (changed?.role === "system" ? changed.output_config?.effort : undefined) ?? output?.effort;
  if (effort !== undefined) {
    const known = knownEffort.safeParse(effort).data;
    if (known !== undefined && known !== "none") return toOllamaThink(known);
    ignored.ignore("output_config.effort");
  }
  return thinking == null ? undefined : true;
}
