import { randomUUID } from "node:crypto";
import type { OllamaEvent, OllamaToolCall } from "../../ollama/types.ts";
import { contentLogprobs, newCallId, toLogprob } from "../openai-chat/response.ts";
import { encodeReasoning } from "./encrypted-reasoning.ts";
import { type ToolCatalog, customInput } from "./tool-catalog.ts";

export type Status = "in_progress" | "completed" | "incomplete";

export type OutputItem = ReasoningItem | MessageItem | CallItem;
export type CallItem = FunctionCallItem | CustomCallItem;

interface ReasoningItem {
  readonly id: string;
  readonly type: "reasoning";
  readonly summary: readonly { readonly type: "summary_text"; readonly text: string }[];
  readonly content?: readonly { readonly type: "reasoning_text"; readonly text: string }[];
  readonly encrypted_content?: string;
  readonly status: Status;
}

interface MessageItem {
  readonly id: string;
  readonly type: "message";
  readonly status: Status;
  readonly role: "assistant";
  readonly content: readonly TextPart[];
}

interface TextPart {
  readonly type: "output_text";
  readonly annotations: [];
  readonly logprobs: readonly object[];
  readonly text: string;
}

interface FunctionCallItem {
  readonly id: string;
  readonly type: "function_call";
  readonly status: Status;
  readonly call_id: string;
  readonly name: string;
  readonly namespace?: string;
  readonly arguments: string;
}

interface CustomCallItem {
  readonly id: string;
  readonly type: "custom_tool_call";
  readonly status: Status;
  readonly call_id: string;
  readonly name: string;
  readonly namespace?: string;
  readonly input: string;
}

/** How the client wants the model's thinking. */
export interface ReasoningOptions {
  /** As a summary, which contains all of it, as Ollama's models do not summarize. */
  readonly asSummary: boolean;
  /** As `encrypted_content`, to be sent back. */
  readonly encrypted: boolean;
}

export function newItemId(prefix: "resp" | "rs" | "msg" | "fc" | "ctc"): string {
  return `${prefix}_${randomUUID().replaceAll("-", "")}`;
}

/** @param thinking undefined before it has begun */
export function reasoningItem(
  id: string,
  status: Status,
  thinking: string | undefined,
  { asSummary, encrypted }: ReasoningOptions,
): ReasoningItem {
  const begun = thinking !== undefined;
  return {
    id,
    type: "reasoning",
    summary: asSummary && begun ? [summaryPart(thinking)] : [],
    ...(asSummary ? {} : { content: begun ? [reasoningPart(thinking)] : [] }),
    ...(encrypted && begun ? { encrypted_content: encodeReasoning(thinking) } : {}),
    status,
  };
}

export function messageItem(id: string, status: Status, content: readonly TextPart[]): MessageItem {
  return { id, type: "message", status, role: "assistant", content };
}

/** A call of the model, with the client's name of the tool. */
export function callItem(call: OllamaToolCall, tools: ToolCatalog): CallItem {
  const { kind, name, namespace } = tools.identityOf(call.function.name);
  const common = {
    status: "completed" as const,
    call_id: call.id ?? newCallId(),
    name,
    ...(namespace === undefined ? {} : { namespace }),
  };
  const args = call.function.arguments;
  return kind === "custom"
    ? { id: newItemId("ctc"), type: "custom_tool_call", ...common, input: customInput(args) }
    : { id: newItemId("fc"), type: "function_call", ...common, arguments: JSON.stringify(args ?? {}) };
}

export function reasoningPart(text: string): { readonly type: "reasoning_text"; readonly text: string } {
  return { type: "reasoning_text", text };
}

export function summaryPart(text: string): { readonly type: "summary_text"; readonly text: string } {
  return { type: "summary_text", text };
}

export function textPart(text: string, logprobs: readonly object[]): TextPart {
  return { type: "output_text", annotations: [], logprobs, text };
}

/** A token's bytes are required in this API. */
export function logprobsOf(event: OllamaEvent): object[] {
  const withBytes = <Entry extends { token: string; bytes?: unknown }>(entry: Entry) => ({
    ...entry,
    bytes: entry.bytes ?? [...Buffer.from(entry.token)],
  });
  return contentLogprobs(event).map((entry) =>
    toLogprob({ ...withBytes(entry), top_logprobs: (entry.top_logprobs ?? []).map(withBytes) }),
  );
}

export function endStatus(last: OllamaEvent): "completed" | "incomplete" {
  return last.done_reason === "length" ? "incomplete" : "completed";
}
