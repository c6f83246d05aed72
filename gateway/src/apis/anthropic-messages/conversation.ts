import { unsupportedValue } from "../../errors.ts";
import type { OllamaMessage, OllamaToolCall } from "../../ollama/types.ts";
import { omissionNote } from "../common/omitted-images.ts";
import { joinInstructions, reminder } from "../common/system-messages.ts";
import { documentText, readableText, searchResultText, toolReferenceText } from "./block-text.ts";
import type { Block, DocumentBlock, ImageBlock, OtherBlock, ToolResultBlock } from "./blocks.ts";
import type { Message, ConversationRequest } from "./schema.ts";
import { readThinking } from "./thinking-signature.ts";

export interface Conversation {
  readonly messages: readonly OllamaMessage[];
  /** Index of the client's newest message. Its content must be readable; in earlier ones a note can replace it. */
  readonly newest: number | undefined;
}

// Claude Code's line for Anthropic's billing. It differs between requests, which would invalidate the prompt cache.
const BILLING_LINE = "x-anthropic-billing-header:";

/**
 * Converts Anthropic's conversation to Ollama's.
 *
 * @throws ApiError for unreadable content in the newest message
 */
export function toConversation({
  system,
  messages,
}: Pick<ConversationRequest, "system" | "messages">): Conversation {
  const lastUser = messages.findLastIndex(({ role }) => role === "user");
  const firstReply = messages.findIndex(({ role }) => role === "assistant");
  const instructions = [systemText(system)];
  const reader = new MessageReader();
  for (const [index, message] of messages.entries()) {
    if (message.role !== "system") {
      reader.add(message, index, index === lastUser);
      continue;
    }
    if (message.clear_at === "next_user_message" && index < lastUser) continue;
    const text = systemText(message.content);
    // As in placeSystemMessages, for the same reason.
    if (firstReply === -1 || index < firstReply) instructions.push(text);
    else if (text !== "") reader.messages.push(reminder(text));
  }
  const instruction = joinInstructions(instructions);
  if (instruction === undefined) {
    // Without messages, Ollama would only load the model.
    return reader.messages.length > 0
      ? reader
      : { messages: [{ role: "system", content: "" }], newest: undefined };
  }
  return {
    messages: [instruction, ...reader.messages],
    newest: reader.newest === undefined ? undefined : reader.newest + 1,
  };
}

type SystemMessage = Extract<Message, { role: "system" }>;

function systemText(content: SystemMessage["content"] | ConversationRequest["system"]): string {
  if (typeof content === "string") return content;
  return (content ?? [])
    .flatMap((block) => (block.type === "text" && !block.text.startsWith(BILLING_LINE) ? block.text : []))
    .join("\n");
}

/** Collects the parts of one message. */
class Draft {
  readonly texts: string[] = [];
  readonly images: string[] = [];
  readonly calls: OllamaToolCall[] = [];
  thinking = "";

  get isEmpty(): boolean {
    return this.texts.length + this.images.length + this.calls.length === 0 && this.thinking === "";
  }

  toMessage(role: "user" | "assistant"): OllamaMessage {
    return {
      role,
      content: this.texts.join("\n"),
      ...(this.images.length > 0 ? { images: this.images } : {}),
      ...(this.thinking === "" ? {} : { thinking: this.thinking }),
      ...(this.calls.length > 0 ? { tool_calls: this.calls } : {}),
    };
  }
}

class MessageReader implements Conversation {
  readonly messages: OllamaMessage[] = [];
  newest: number | undefined;
  /** Tool names by call ID: results only have the ID, but models' templates need the name. */
  readonly #toolNames = new Map<string, string>();

  add({ role, content }: Exclude<Message, SystemMessage>, index: number, isNewest: boolean): void {
    if (typeof content === "string") {
      this.messages.push({ role, content });
      return;
    }
    const blocks: readonly Block[] = content ?? [];
    const returnsResults = blocks.some(({ type }) => type === "tool_result");
    const mustRead = isNewest && !returnsResults;
    const results: OllamaMessage[] = [];
    let draft = new Draft();
    for (const [position, block] of blocks.entries()) {
      const requiredParam = mustRead ? `messages[${index}].content[${position}]` : undefined;
      const result = this.#read(block, draft, requiredParam);
      if (result === undefined) continue;
      if (role === "user") results.push(result);
      else {
        // A server-run tool splits the assistant's message.
        if (!draft.isEmpty) this.messages.push(draft.toMessage(role));
        this.messages.push(result);
        draft = new Draft();
      }
    }
    // Tool results precede the user's text.
    const returned = results.length > 0 || this.messages.at(-1)?.role === "tool";
    this.messages.push(...results);
    if (draft.isEmpty && returned && blocks.length > 0) return;
    if (mustRead) this.newest = this.messages.length;
    this.messages.push(draft.toMessage(role));
  }

  /**
   * Adds a block to its message; a tool result becomes a message of its own.
   *
   * @param requiredParam path of the block, if its content must not be omitted
   */
  #read(block: Block, draft: Draft, requiredParam: string | undefined): OllamaMessage | undefined {
    switch (block.type) {
      case "text":
        draft.texts.push(block.text);
        return undefined;
      case "image":
        readImage(block, draft, requiredParam);
        return undefined;
      case "document":
        readDocument(block, draft, requiredParam);
        return undefined;
      case "search_result":
        draft.texts.push(searchResultText(block));
        return undefined;
      case "container_upload":
        omit(UPLOAD, draft, requiredParam);
        return undefined;
      case "tool_use":
        this.#call(block.id, block.name, block.input, draft);
        return undefined;
      case "thinking":
        draft.thinking += readThinking(block);
        return undefined;
      case "tool_result":
        return this.#toolMessage(block);
      case "other":
        return this.#readOther(block.block, draft);
      case "tool_addition":
      case "tool_removal":
        return undefined;
    }
  }

  /** Reads blocks of Anthropic's own tools: calls and results like those of client tools. */
  #readOther(block: OtherBlock, draft: Draft): OllamaMessage | undefined {
    const { type, id, name, input, tool_use_id: callId, is_error: isError } = block;
    if (type === "server_tool_use" || type === "mcp_tool_use") {
      if (typeof id === "string" && typeof name === "string") this.#call(id, name, input, draft);
      return undefined;
    }
    if (type.endsWith("_tool_result")) {
      return this.#result(
        typeof callId === "string" ? callId : "",
        readableText(block),
        [],
        isError === true,
      );
    }
    // A summary that replaces earlier messages.
    if (type === "compaction") draft.texts.push(readableText(block));
    return undefined;
  }

  #call(id: string, name: string, input: unknown, draft: Draft): void {
    this.#toolNames.set(id, name);
    const isObject = typeof input === "object" && input !== null && !Array.isArray(input);
    draft.calls.push({ id, function: { name, arguments: isObject ? input : {} } });
  }

  #toolMessage({ tool_use_id: id, content, is_error: isError }: ToolResultBlock): OllamaMessage {
    if (typeof content === "string") return this.#result(id, content, [], isError === true);
    const draft = new Draft();
    for (const block of content ?? []) {
      if (block.type === "tool_reference") draft.texts.push(toolReferenceText(block.tool_name));
      else if (block.type === "other") draft.texts.push(readableText(block.block));
      else this.#read(block, draft, undefined);
    }
    return this.#result(id, draft.texts.join("\n"), draft.images, isError === true);
  }

  #result(id: string, text: string, images: readonly string[], isError: boolean): OllamaMessage {
    const toolName = this.#toolNames.get(id);
    return {
      role: "tool",
      content: isError ? `Error: ${text}` : text,
      ...(images.length > 0 ? { images } : {}),
      tool_call_id: id,
      ...(toolName === undefined ? {} : { tool_name: toolName }),
    };
  }
}

function readImage({ source }: ImageBlock, draft: Draft, requiredParam: string | undefined): void {
  if (source.type === "base64") draft.images.push(source.data);
  else omit(LINKED_IMAGE, draft, requiredParam);
}

function readDocument(block: DocumentBlock, draft: Draft, requiredParam: string | undefined): void {
  const text = documentText(block);
  if (text === undefined) {
    omit(block.title ? { ...DOCUMENT, what: `A document (${block.title})` } : DOCUMENT, draft, requiredParam);
    return;
  }
  draft.texts.push(text);
  if (block.source.type !== "content" || typeof block.source.content === "string") return;
  for (const part of block.source.content) if (part.type === "image") readImage(part, draft, requiredParam);
}

interface Unreadable {
  readonly what: string;
  readonly why: string;
  readonly advice: string;
}

const LINKED_IMAGE: Unreadable = {
  what: "An image",
  why: "nothing is fetched, and no file is kept",
  advice: "Send the image itself, as base64.",
};

const DOCUMENT: Unreadable = {
  what: "A document",
  why: "only text is read, no PDF, address or file",
  advice: "Send the document's text.",
};

const UPLOAD: Unreadable = {
  what: "A file",
  why: "the gateway keeps no files",
  advice: "Send the file's text.",
};

/** @throws ApiError if it must not be omitted */
function omit({ what, why, advice }: Unreadable, draft: Draft, requiredParam: string | undefined): void {
  if (requiredParam !== undefined) throw unsupportedValue(requiredParam, `${why}. ${advice}`);
  draft.texts.push(omissionNote(what, why));
}
