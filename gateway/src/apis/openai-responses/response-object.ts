import { ApiError } from "../../errors.ts";
import { textLength } from "../../lib/json/text-length.ts";
import type { OllamaEvent } from "../../ollama/types.ts";
import { type OutputItem, type ReasoningOptions, type Status, endStatus, newItemId } from "./output-items.ts";
import type { ResponsesRequest } from "./schema.ts";
import type { ToolCatalog } from "./tool-catalog.ts";
import type { ResponsesTool } from "./tool-schema.ts";
import { withOriginalType } from "./unknown-variant.ts";

/**
 * Stores a finished response.
 *
 * @returns whether it was stored
 */
export type KeepResponse = (response: FinishedResponse) => boolean;

export interface FinishedResponse {
  readonly id: string;
  readonly output: readonly OutputItem[];
  readonly [field: string]: unknown;
}

/** What a response is built from. */
export interface ResponseContext {
  readonly request: ResponsesRequest;
  readonly tools: ToolCatalog;
  /** Undefined if the response is not stored. */
  readonly keep?: KeepResponse | undefined;
}

// Characters that a response may repeat of its request. A stream repeats them three times, twice of which at once.
const MAX_REPEATED = 1024 * 1024;

/**
 * Rejects a request whose parameters are too long to be repeated. Most of them are not part of the prompt, so the
 * model's context does not limit them.
 *
 * @throws ApiError `invalid_value`
 */
export function requireRepeatable(context: ResponseContext): void {
  const lengths = Object.entries(new ResponseObject(context).begun()).map(
    ([name, value]) => [name, textLength(value)] as const,
  );
  if (lengths.reduce((sum, [, length]) => sum + length, 0) <= MAX_REPEATED) return;
  const [param] = lengths.reduce((longest, each) => (each[1] > longest[1] ? each : longest));
  throw new ApiError("invalid_value", {
    message:
      `Invalid value for '${param}': a response repeats its request's parameters, which may have ${MAX_REPEATED} ` +
      "characters together. Shorten it.",
    param,
  });
}

export function reasoningOptionsOf({ reasoning, include }: ResponsesRequest): ReasoningOptions {
  const summary = reasoning?.summary ?? reasoning?.generate_summary ?? "none";
  return {
    asSummary: summary !== "none",
    encrypted: include?.includes("reasoning.encrypted_content") ?? false,
  };
}

/** The response object: the request's parameters and the output so far. */
export class ResponseObject {
  readonly #id = newItemId("resp");
  readonly #createdAt = seconds();
  readonly #context: ResponseContext;

  constructor(context: ResponseContext) {
    this.#context = context;
  }

  begun(): object {
    return this.#response("in_progress", [], {});
  }

  /** Returns the finished response, and stores it unless the client declined. */
  ended(output: readonly OutputItem[], last: OllamaEvent): object {
    const status = endStatus(last);
    const input = last.prompt_eval_count ?? 0;
    const generated = last.eval_count ?? 0;
    const response = this.#response(status, output, {
      completed_at: status === "completed" ? seconds() : null,
      incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
      usage: {
        input_tokens: input,
        input_tokens_details: { cached_tokens: 0 },
        output_tokens: generated,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: input + generated,
      },
    });
    const isStored = this.#context.keep?.(response) ?? false;
    return { ...response, store: isStored };
  }

  failed(output: readonly OutputItem[], { code, message }: ApiError): object {
    return { ...this.#response("failed", output, { error: { code, message } }), store: false };
  }

  #response(
    status: Status | "failed",
    output: readonly OutputItem[],
    state: Readonly<Record<string, unknown>>,
  ): FinishedResponse {
    const { request, keep } = this.#context;
    const { text, reasoning, tools, options } = request;
    const maxOutput = request.max_output_tokens ?? 0;
    return {
      id: this.#id,
      object: "response",
      created_at: this.#createdAt,
      completed_at: null,
      status,
      background: false,
      error: null,
      incomplete_details: null,
      instructions: request.instructions ?? null,
      max_output_tokens: maxOutput > 0 ? maxOutput : null,
      max_tool_calls: request.max_tool_calls ?? null,
      metadata: request.metadata ?? {},
      model: request.model,
      output,
      parallel_tool_calls: request.parallel_tool_calls ?? true,
      previous_response_id: request.previous_response_id ?? null,
      prompt_cache_key: request.prompt_cache_key ?? null,
      reasoning: {
        effort: reasoning?.effort ?? null,
        summary: reasoning?.summary ?? reasoning?.generate_summary ?? null,
      },
      safety_identifier: request.safety_identifier ?? null,
      service_tier: "default",
      store: keep !== undefined,
      // Numbers are required; the model's defaults are unknown before it is loaded.
      temperature: request.temperature ?? numberOr(options?.temperature, 1),
      top_p: request.top_p ?? numberOr(options?.top_p, 1),
      presence_penalty: request.presence_penalty ?? numberOr(options?.presence_penalty, 0),
      frequency_penalty: request.frequency_penalty ?? numberOr(options?.frequency_penalty, 0),
      top_logprobs: request.top_logprobs ?? 0,
      text: { format: formatOf(text) },
      tool_choice: describeChoice(request.tool_choice),
      tools: (tools ?? []).flatMap(describeTool),
      truncation: request.truncation ?? "disabled",
      usage: null,
      user: request.user ?? null,
      ...state,
    };
  }
}

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}

function numberOr(value: unknown, otherwise: number): number {
  return typeof value === "number" ? value : otherwise;
}

function formatOf(text: ResponsesRequest["text"]): object {
  const format = text?.format ?? { type: "text" };
  if (format.type !== "json_schema") return format;
  const { name, description = null, strict } = format;
  return { ...format, name: name ?? "response", description, strict: strict ?? false };
}

function describeChoice(choice: ResponsesRequest["tool_choice"]): unknown {
  if (choice == null) return "auto";
  if (typeof choice === "string" || choice.type !== "allowed_tools") return choice;
  return { ...choice, tools: choice.tools.map(withOriginalType) };
}

/** A tool as offered to the model, with the fields that clients require of a function. */
function describeTool(tool: ResponsesTool): object[] {
  switch (tool.type) {
    case "unknown":
      return [];
    case "custom":
      return [tool];
    case "namespace":
      return [{ ...tool, tools: tool.tools.flatMap(describeTool) }];
    case "function": {
      const { description = null, parameters = null, strict = null } = tool;
      return [{ ...tool, description, parameters, strict }];
    }
  }
}
