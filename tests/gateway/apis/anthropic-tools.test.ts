import { expect, test } from "vitest";
import { adaptMessages } from "../../../gateway/src/apis/anthropic-messages/adapter.ts";
import { messagesSchema } from "../../../gateway/src/apis/anthropic-messages/schema.ts";
import { ignoredHeader } from "../../../gateway/src/apis/common/ignored-headers.ts";
import { parseBody } from "../../../gateway/src/apis/common/validation.ts";
import type { OllamaChatRequest } from "../../../gateway/src/ollama/types.ts";

const user = { role: "user", content: "Hi" };
const text = (content: string) => ({ type: "text", text: content });
const input_schema = { type: "object" };

function adapt(body: object): { readonly sent: OllamaChatRequest; readonly ignored: readonly string[] } {
  const ignored: string[] = [];
  const parsed = parseBody(messagesSchema, { model: "m", max_tokens: 9, messages: [user], ...body });
  const { call } = adaptMessages(parsed, { ignore: (name) => void ignored.push(name) });
  return { sent: call.body as OllamaChatRequest, ignored };
}

const named = (name: string, rest: object = {}) => ({ name, input_schema, ...rest });
const toolsAndIgnored = (body: object) => {
  const { sent, ignored } = adapt(body);
  const passedOn = (sent.tools ?? []) as readonly { readonly function: { readonly name: string } }[];
  return [passedOn.map((tool) => tool.function.name), ignored];
};

test("omits and reports server-side tools", () => {
  const mixed = [
    named("f"),
    { type: "web_search_20250305", name: "web_search" },
    named("g", { type: "custom" }),
  ];
  expect(toolsAndIgnored({ tools: mixed })).toEqual([["f", "g"], ["tools[1] (web_search_20250305)"]]);
  expect(toolsAndIgnored({ tools: mixed, tool_choice: { type: "any" } })[0]).toEqual(["f", "g"]);
  const requiringServerTool = { tools: mixed, tool_choice: { type: "tool", name: "web_search" } };
  expect(() => adapt(requiringServerTool)).toThrow("'tool_choice'");
  expect(() => adapt({ tools: [mixed[1]], tool_choice: { type: "any" } })).toThrow("'tool_choice'");
});

test("encodes a lone surrogate in the type of an omitted tool", () => {
  const { ignored } = adapt({ tools: [{ type: "web\ud800", name: "search" }] });
  expect(ignoredHeader(ignored)).toBe("tools[0]%20(web%EF%BF%BD)");
});

test("accepts an omitted tool whose name is not a string", () => {
  const tools = [{ type: "web_search_20250305", name: { toString: null, valueOf: null } }];
  expect(toolsAndIgnored({ tools })).toEqual([[], ["tools[0] (web_search_20250305)"]]);
});

test.each([
  ["bash_20250124", "bash", ["command", "restart"]],
  ["text_editor_20250124", "str_replace_editor", ["command", "path", "old_str", "insert_text"]],
  ["text_editor_20250728", "str_replace_based_edit_tool", ["command", "path", "old_str", "insert_text"]],
  ["memory_20250818", "memory", ["command", "path", "old_path", "new_path"]],
])("passes on the client-side tool %s with its schema", (type, name, properties) => {
  const { sent, ignored } = adapt({
    tools: [{ type, name, cache_control: { type: "ephemeral" } }],
    tool_choice: { type: "auto" },
  });
  const [passedOn] = sent.tools as { function: { name: string; parameters: { properties: object } } }[];
  expect(passedOn?.function.name).toBe(name);
  expect(Object.keys(passedOn?.function.parameters.properties ?? {})).toEqual(
    expect.arrayContaining(properties) as string[],
  );
  expect(ignored).toEqual([]);
  // tool_choice can require it like any other tool.
  expect(adapt({ tools: [{ type, name }], tool_choice: { type: "tool", name } }).sent.format).toMatchObject({
    properties: { name: { const: name } },
  });
});

test("omits the computer tool and unknown tools", () => {
  const tools = [
    named("f"),
    { type: "computer_20250124", name: "computer", display_width_px: 1, display_height_px: 1 },
    { type: "bash_code_execution_20990101", name: "bash" },
  ];
  expect(toolsAndIgnored({ tools })).toEqual([
    ["f"],
    ["tools[1] (computer_20250124)", "tools[2] (bash_code_execution_20990101)"],
  ]);
});

test("passes on a deferred tool once the conversation refers to it", () => {
  const deferred = { defer_loading: true };
  const all = [
    named("find"),
    named("a", deferred),
    named("b", deferred),
    named("c", deferred),
    named("d", deferred),
  ];
  expect(toolsAndIgnored({ tools: all })).toEqual([["find"], []]);
  const call = { type: "tool_use", id: "1", name: "c", input: {} };
  const found = [{ type: "tool_reference", tool_name: "b" }];
  const messages = [
    user,
    { role: "assistant", content: [call] },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "1", content: found }] },
  ];
  expect(toolsAndIgnored({ tools: all, messages })[0]).toEqual(["find", "b", "c"]);
  expect(toolsAndIgnored({ tools: all, tool_choice: { type: "tool", name: "d" } })[0]).toEqual(["find", "d"]);
  expect(adapt({ messages, tools: all }).sent.messages).toContainEqual(
    expect.objectContaining({ role: "tool", content: "The tool b is available now." }),
  );
});

test("passes on deferred tools if no tool search runs here", () => {
  const search = { type: "tool_search_tool_regex_20251119", name: "tool_search_tool_regex" };
  const tools = [search, named("f"), named("a", { defer_loading: true })];
  expect(toolsAndIgnored({ tools })).toEqual([["f", "a"], ["tools[0] (tool_search_tool_regex_20251119)"]]);
  expect(toolsAndIgnored({ tools: [named("a", { defer_loading: true })] })[0]).toEqual(["a"]);
});

test("applies tool changes within a conversation", () => {
  const change = (type: string, tool: object) => ({ type, tool });
  const reference = (name: string) => ({ type: "tool_reference", name });
  const definition = { type: "tool_definition", definition: named("new") };
  const content = [
    text("Tools have changed."),
    change("tool_removal", reference("f")),
    change("tool_addition", reference("a")),
    change("tool_addition", definition),
  ];
  const tools = [named("f"), named("a", { defer_loading: true }), named("g")];
  expect(toolsAndIgnored({ tools, messages: [user, { role: "system", content }] })[0]).toEqual([
    "a",
    "g",
    "new",
  ]);
});
