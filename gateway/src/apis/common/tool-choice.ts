import { ApiError, invalidValue } from "../../errors.ts";
import { makeSafeCalls } from "../../json-schema/make-safe.ts";
import type { OllamaEvent, OllamaToolCall } from "../../ollama/types.ts";
import type { OutputFormat } from "./output-format.ts";

export type ToolChoice = "auto" | "none" | "required" | { readonly name: string } | AllowedTools;

/** A selection of the tools. */
interface AllowedTools {
  readonly mode: "auto" | "required";
  /** Names of the tools. */
  readonly allowed: readonly string[];
}

/** A function in OpenAI's and Ollama's format. */
export interface Tool {
  readonly type: "function";
  readonly function: {
    readonly name: string;
    readonly description?: string | undefined;
    readonly parameters?: Readonly<Record<string, unknown>> | undefined;
    readonly strict?: boolean | null | undefined;
  };
}

/** A tool that the model may see. */
export interface OfferedTool {
  readonly tool: Tool;
  /** The request's parameter with the schema of its arguments. */
  readonly param: string;
}

export interface ChosenTools extends OutputFormat {
  /** The tools shown to the model. */
  readonly tools?: readonly Tool[] | undefined;
  readonly adapt?: () => (event: OllamaEvent) => OllamaEvent;
}

/**
 * Emulates `tool_choice`, which Ollama lacks. A required call constrains the response to the schema of a call and
 * parses it as one. Without parallel calls, all but the first are dropped.
 *
 * @throws ApiError if the choice names an unknown tool, or requires one with an unsupported schema
 */
export function chooseTools(
  offered: readonly OfferedTool[],
  choice: ToolChoice,
  parallel: boolean,
): ChosenTools {
  if (typeof choice === "object" && "allowed" in choice) {
    const allowed = [...new Set(choice.allowed)].map((name) => toolNamed(name, offered));
    return chooseTools(allowed, choice.mode, parallel);
  }
  if (choice === "none" || (choice === "auto" && offered.length === 0)) return {};
  const tools = offered.map(({ tool }) => tool);
  if (choice === "auto") return parallel ? { tools } : { tools, adapt: onlyFirstCall };
  const callable = choice === "required" ? offered : [toolNamed(choice.name, offered)];
  if (callable.length === 0) throw noSuchFunction();
  const { schema: format, ignored } = makeSafeCalls(
    callable.map(({ tool: { function: called }, param }) => ({
      name: called.name,
      parameters: called.parameters ?? { type: "object" },
      param,
    })),
  );
  return {
    tools,
    format,
    ...(ignored.length > 0 ? { ignoredKeywords: ignored } : {}),
    adapt: contentAsCall,
  };
}

function toolNamed(name: string, offered: readonly OfferedTool[]): OfferedTool {
  const match = offered.find(({ tool }) => tool.function.name === name);
  if (match === undefined) throw noSuchFunction();
  return match;
}

function noSuchFunction(): ApiError {
  return invalidValue("tool_choice", "'tools' has no such function.");
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

/** Collects the text until the call is complete, unless Ollama has already parsed it. */
function contentAsCall(): (event: OllamaEvent) => OllamaEvent {
  let content = "";
  let called = false;
  return (event) => {
    content += event.message?.content ?? "";
    let calls = called ? [] : (event.message?.tool_calls ?? []).slice(0, 1);
    called ||= calls.length > 0;
    // As with OpenAI, a call truncated by the token limit is not a call.
    if (event.done === true && !called && event.done_reason !== "length") calls = [callIn(content)];
    return { ...event, message: { ...event.message, content: "", tool_calls: calls }, logprobs: [] };
  };
}

function callIn(content: string): OllamaToolCall {
  try {
    const { name, arguments: args } = JSON.parse(content) as { name?: unknown; arguments?: unknown };
    if (typeof name === "string") return { function: { name, arguments: args } };
  } catch {
    // Reported below, without quoting generated text.
  }
  throw new ApiError("upstream_failed", {
    message: "The model did not make the required tool call.",
  });
}
