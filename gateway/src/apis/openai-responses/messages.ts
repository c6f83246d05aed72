import { missingParameter } from "../../errors.ts";
import type { OllamaMessage, OllamaToolCall } from "../../ollama/types.ts";
import { ToolArguments } from "../common/tool-arguments.ts";
import { base64Of } from "../openai-chat/request.ts";
import { decodeReasoning } from "./encrypted-reasoning.ts";
import type { ResponsesItem } from "./input-schema.ts";
import { type ToolCatalog, customArguments, flatName } from "./tool-catalog.ts";

type Item<Type extends ResponsesItem["type"]> = Extract<ResponsesItem, { type: Type }>;
type Content = NonNullable<Item<"message">["content"]>;
type Parts = Exclude<Content, string>;

interface ModelTurn {
  role: "assistant";
  content: string;
  thinking?: string;
  tool_calls?: OllamaToolCall[];
}

/**
 * Converts items to messages. Several items (reasoning, text, calls) form one turn, and so one message of Ollama.
 *
 * @param earlier number of items from the store instead of the request
 */
export function toOllamaMessages(
  items: readonly ResponsesItem[],
  tools: ToolCatalog,
  earlier: number,
): OllamaMessage[] {
  const conversation = new Conversation(tools);
  for (const [i, item] of items.entries()) conversation.add(item, i - earlier);
  return conversation.messages;
}

class Conversation {
  readonly messages: OllamaMessage[] = [];
  readonly #tools: ToolCatalog;
  readonly #toolNames = new Map<string, string>();
  readonly #arguments = new ToolArguments();
  #turn: ModelTurn | undefined;

  constructor(tools: ToolCatalog) {
    this.#tools = tools;
  }

  /** @throws ApiError for the output of an unidentified call */
  add(item: ResponsesItem, index: number): void {
    switch (item.type) {
      case "message":
        this.#message(item);
        break;
      case "reasoning":
        this.#reasoning(item);
        break;
      case "function_call":
        this.#addCall(item.call_id, this.#nameOf(item), this.#read(item.arguments));
        break;
      case "custom_tool_call":
        this.#addCall(item.call_id, this.#nameOf(item), customArguments(item.input ?? ""));
        break;
      case "function_call_output":
      case "custom_tool_call_output":
        this.#output(item, index);
        break;
      case "local_shell_call":
      case "shell_call":
        this.#addCall(item.call_id ?? item.id, item.type.replace(/_call$/, ""), item.action);
        break;
      case "apply_patch_call":
        this.#addCall(item.call_id ?? item.id, "apply_patch", item.operation);
        break;
      case "local_shell_call_output":
      case "shell_call_output":
      case "apply_patch_call_output":
        this.#clientOutput(item);
        break;
      case "mcp_call":
        this.#mcpCall(item);
        break;
      // Tools are in the catalog, references have been resolved, and the rest means nothing to the model.
      case "additional_tools":
      case "item_reference":
      case "unknown":
    }
  }

  #message(item: Item<"message">): void {
    const content = item.content ?? "";
    if (item.role === "assistant") {
      // Text after a call or other text begins a new turn.
      if (this.#turn && (this.#turn.tool_calls !== undefined || this.#turn.content !== ""))
        this.#turn = undefined;
      this.#modelTurn().content = textOf(content);
      return;
    }
    this.#turn = undefined;
    this.messages.push({
      role: item.role === "developer" ? "system" : item.role,
      content: textOf(content),
      ...withImages(content),
    });
  }

  #reasoning({ encrypted_content: encrypted, content, summary }: Item<"reasoning">): void {
    this.#turn = undefined;
    const thinking =
      (encrypted == null ? undefined : decodeReasoning(encrypted)) ??
      (textOf(content ?? []) || textOf(summary ?? []));
    if (thinking !== "") this.#modelTurn().thinking = thinking;
  }

  #read(args: string | null | undefined): unknown {
    return args == null ? {} : this.#arguments.read(args);
  }

  #nameOf({ name, namespace }: Item<"function_call" | "custom_tool_call">): string {
    return this.#tools.nameOf(name, namespace);
  }

  #addCall(id: string | null | undefined, name: string, args: unknown): void {
    if (id != null) this.#toolNames.set(id, name);
    const call = { ...(id == null ? {} : { id }), function: { name, arguments: args ?? {} } };
    (this.#modelTurn().tool_calls ??= []).push(call);
  }

  #output(
    { call_id: id, name, output }: Item<"function_call_output" | "custom_tool_call_output">,
    index: number,
  ): void {
    if (id == null && name == null) throw missingParameter(`input[${index}].call_id`);
    const content = output ?? "";
    this.#addOutput(id ?? undefined, textOf(content), name ?? undefined, withImages(content));
  }

  #clientOutput(
    item: Item<"local_shell_call_output" | "shell_call_output" | "apply_patch_call_output">,
  ): void {
    const { output } = item;
    const text = typeof output === "string" ? output : JSON.stringify(output ?? "");
    // A local shell's output has the call's ID as its own.
    this.#addOutput(item.call_id ?? item.id ?? undefined, text, item.type.replace(/_call_output$/, ""));
  }

  #mcpCall({ id, name, arguments: args, output, error }: Item<"mcp_call">): void {
    const callId = id ?? `mcp_${this.messages.length}`;
    this.#addCall(callId, flatName(name), this.#read(args));
    this.#addOutput(callId, output ?? (error == null ? "" : JSON.stringify(error)));
  }

  #addOutput(
    id: string | undefined,
    content: string,
    name?: string,
    images: { images?: string[] } = {},
  ): void {
    this.#turn = undefined;
    const toolName = (id === undefined ? undefined : this.#toolNames.get(id)) ?? name;
    this.messages.push({
      role: "tool",
      content,
      ...images,
      ...(id === undefined ? {} : { tool_call_id: id }),
      ...(toolName === undefined ? {} : { tool_name: toolName }),
    });
  }

  #modelTurn(): ModelTurn {
    if (this.#turn === undefined) this.messages.push((this.#turn = { role: "assistant", content: "" }));
    return this.#turn;
  }
}

function textOf(content: Content): string {
  if (typeof content === "string") return content;
  return content
    .flatMap((part: Parts[number]) => {
      if ("refusal" in part) return part.refusal;
      return "text" in part ? part.text : [];
    })
    .join("\n");
}

function withImages(content: Content): { images?: string[] } {
  if (typeof content === "string") return {};
  const images = content.flatMap((part: Parts[number]) =>
    "image_url" in part ? base64Of(part.image_url) : [],
  );
  return images.length > 0 ? { images } : {};
}
