import {
  anyString,
  calls,
  textOf,
  replies,
  thoughtsBefore,
  toolNames,
  type Reply,
  type ToolName,
} from "../../../compat/model/script.ts";
import type { OllamaChatRequest, OllamaMessage } from "../../../gateway/src/ollama/types.ts";
import { last, type Step } from "./steps.ts";

// Some clients require all fields that Ollama sends.
const origin = {
  model: "m",
  created_at: "2025-01-02T03:04:05Z",
  load_duration: 1_000_000,
  prompt_eval_duration: 2_000_000,
};

/** The responses of the scripted model of the compatibility matrix (compat/model), for a fake Ollama. */
export function scriptedReply(body: OllamaChatRequest, canThink: boolean): readonly Step[] | undefined {
  if (body.model.includes("missing"))
    return [{ status: 404, body: `{"error":"model '${body.model}' not found"}` }];
  const { messages, format, stream, think = canThink } = body as Partial<OllamaChatRequest>;
  if ("prompt" in body) return [last({ ...origin, response: textOf("first") })];
  if (messages === undefined) return undefined;
  const state = stateAfter(messages, (body.tools ?? []) as readonly Tool[]);
  const thoughts =
    think === false ? [] : thoughtsBefore(state).map((thinking) => ({ content: "", thinking }));
  const reply =
    format === undefined ? replyParts(state) : [{ content: JSON.stringify(fill(format as Schema)) }];
  const parts = [...thoughts, ...reply];
  if (stream !== false)
    return [
      ...parts.map((message) => ({
        line: { ...origin, message: { role: "assistant", ...message }, done: false },
      })),
      last(origin),
    ];
  const join = (name: "content" | "thinking") => parts.map((part: Part) => part[name] ?? "").join("");
  const toolCalls = parts.flatMap((part: Part) => part.tool_calls ?? []);
  return [
    last({
      ...origin,
      message: {
        role: "assistant",
        content: join("content"),
        ...(thoughts.length > 0 && { thinking: join("thinking") }),
        ...(toolCalls.length > 0 && { tool_calls: toolCalls }),
      },
    }),
  ];
}

interface Tool {
  readonly function: { readonly name: string };
}

interface Part {
  readonly content: string;
  readonly thinking?: string;
  readonly tool_calls?: readonly object[];
}

function stateAfter(messages: readonly OllamaMessage[], tools: readonly Tool[]): Reply | ToolName {
  const latest = messages.at(-1);
  const tool = toolNames.findLast((name) => tools.some((each) => each.function.name === name));
  if (latest?.role === "tool") return messages.some(({ thinking }) => thinking) ? "thoughtful" : "result";
  if (tool !== undefined) return tool;
  if (latest?.images?.length) return "image";
  return messages.some(({ role }) => role === "assistant") ? "again" : "first";
}

function replyParts(state: Reply | ToolName): readonly Part[] {
  if (state in replies) return replies[state as Reply].map((content) => ({ content }));
  const name = state as ToolName;
  return [{ content: "", tool_calls: [{ function: { name, arguments: calls[name] } }] }];
}

interface Schema {
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
}

/** Returns a value that a schema allows. */
function fill(schema: Schema): unknown {
  if (schema.const !== undefined) return schema.const;
  const [choice] = schema.enum ?? [];
  if (choice !== undefined) return choice;
  const [first] = schema.anyOf ?? [];
  if (first !== undefined) return fill(first);
  if (schema.properties === undefined) return schema.type === "string" ? anyString : {};
  return Object.fromEntries(Object.entries(schema.properties).map(([name, inner]) => [name, fill(inner)]));
}
