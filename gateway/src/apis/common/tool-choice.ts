import { ApiError } from "../../errors.ts";
import { makeSafeCalls } from "../../json-schema/make-safe.ts";
import type { OllamaEvent, OllamaToolCall } from "../../ollama/types.ts";
import type { OutputFormat } from "./output-format.ts";

export type ToolChoice = "auto" | "none" | "required" | { readonly name: string } | AllowedTools;

/** The tools that the model may choose among. */
interface AllowedTools {
  readonly mode: "auto" | "required";
  /** Their names. */
  readonly allowed: readonly string[];
}

/** A function as OpenAI and Ollama describe it. */
export interface Tool {
  readonly type: "function";
  readonly function: {
    readonly name: string;
    readonly description?: string | undefined;
    readonly parameters?: Readonly<Record<string, unknown>> | undefined;
    readonly strict?: boolean | null | undefined;
  };
}

export interface ChosenTools extends OutputFormat {
  /** What the model is shown. */
  readonly tools?: readonly Tool[];
  readonly adapt?: () => (event: OllamaEvent) => OllamaEvent;
}

/**
 * Says how a choice among tools is put to Ollama, which knows none. Where a call is demanded, the answer is held to
 * the schema of one call, and read as that call. Where calls may not be parallel, those after the first are left out.
 *
 * @param parametersOf the request's parameter that holds the schema of a tool's arguments, by the tool's index
 * @throws ApiError when the choice names no tool that there is, or demands one whose schema cannot be used
 */
export function chooseTools(
  tools: readonly Tool[],
  choice: ToolChoice,
  parallel: boolean,
  parametersOf = (index: number): string => `tools[${index}].function.parameters`,
): ChosenTools {
  if (typeof choice === "object" && "allowed" in choice) {
    const allowed = [...new Set(choice.allowed)].map((name) => named(name, tools));
    const indexes = allowed.map((tool) => tools.indexOf(tool));
    return chooseTools(allowed, choice.mode, parallel, (index) => parametersOf(indexes[index] ?? index));
  }
  if (choice === "none" || (choice === "auto" && tools.length === 0)) return {};
  if (choice === "auto") return parallel ? { tools } : { tools, adapt: onlyFirstCall };
  const callable = choice === "required" ? tools : [named(choice.name, tools)];
  if (callable.length === 0) throw noSuchFunction();
  const { schema: format, ignored } = makeSafeCalls(
    callable.map((tool) => ({
      name: tool.function.name,
      parameters: tool.function.parameters ?? { type: "object" },
      param: parametersOf(tools.indexOf(tool)),
    })),
  );
  return {
    tools,
    format,
    ...(ignored.length > 0 ? { ignoredKeywords: ignored } : {}),
    adapt: contentAsCall,
  };
}

function named(name: string, tools: readonly Tool[]): Tool {
  const tool = tools.find((each) => each.function.name === name);
  if (tool === undefined) throw noSuchFunction();
  return tool;
}

function noSuchFunction(): ApiError {
  return new ApiError("invalid_value", {
    message: "Invalid value for 'tool_choice': there is no such function in 'tools'.",
    param: "tool_choice",
  });
}

function onlyFirstCall(): (event: OllamaEvent) => OllamaEvent {
  let called = false;
  return (event) => {
    const calls = event.message?.tool_calls;
    if (!calls?.length) return event;
    const kept = called ? [] : calls.slice(0, 1);
    called = true;
    return { ...event, message: { ...event.message, tool_calls: kept } };
  };
}

/** Holds the text back until it is a whole call. Ollama may have read the call out of it already. */
function contentAsCall(): (event: OllamaEvent) => OllamaEvent {
  let content = "";
  let called = false;
  return (event) => {
    content += event.message?.content ?? "";
    let calls = called ? [] : (event.message?.tool_calls ?? []).slice(0, 1);
    called ||= calls.length > 0;
    // A call cut by the token limit is no call, as it is none with OpenAI.
    if (event.done === true && !called && event.done_reason !== "length") calls = [callIn(content)];
    return { ...event, message: { ...event.message, content: "", tool_calls: calls }, logprobs: [] };
  };
}

function callIn(content: string): OllamaToolCall {
  try {
    const { name, arguments: given } = JSON.parse(content) as { name?: unknown; arguments?: unknown };
    if (typeof name === "string") return { function: { name, arguments: given } };
  } catch {
    // Said below; the text is somebody's answer and not quoted.
  }
  throw new ApiError("upstream_failed", {
    message: "The model did not make the call that was demanded of it.",
  });
}
