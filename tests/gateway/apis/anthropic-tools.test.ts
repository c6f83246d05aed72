import { expect, test } from "vitest";
import { adaptMessages } from "../../../gateway/src/apis/anthropic-messages/adapter.ts";
import { messagesSchema } from "../../../gateway/src/apis/anthropic-messages/schema.ts";
import { ignoredHeader } from "../../../gateway/src/apis/common/ignored-headers.ts";
import { parseBody } from "../../../gateway/src/apis/common/validation.ts";
import type { OllamaChatRequest } from "../../../gateway/src/ollama/types.ts";

const user = { role: "user", content: "Hi" };
const text = (content: string) => ({ type: "text", text: content });
const input_schema = { type: "object" };

function adapted(body: object): { readonly sent: OllamaChatRequest; readonly ignored: readonly string[] } {
  const ignored: string[] = [];
  const parsed = parseBody(messagesSchema, { model: "m", max_tokens: 9, messages: [user], ...body });
  const { call } = adaptMessages(parsed, { ignore: (name) => void ignored.push(name) });
  return { sent: call.body as OllamaChatRequest, ignored };
}

const named = (name: string, rest: object = {}) => ({ name, input_schema, ...rest });
const namesOf = (body: object) => {
  const { sent, ignored } = adapted(body);
  const shown = (sent.tools ?? []) as readonly { readonly function: { readonly name: string } }[];
  return [shown.map((tool) => tool.function.name), ignored];
};

test("tools that Anthropic's servers run are left out and named", () => {
  const mixed = [
    named("f"),
    { type: "web_search_20250305", name: "web_search" },
    named("g", { type: "custom" }),
  ];
  expect(namesOf({ tools: mixed })).toEqual([["f", "g"], ["tools[1] (web_search_20250305)"]]);
  expect(namesOf({ tools: mixed, tool_choice: { type: "any" } })[0]).toEqual(["f", "g"]);
  const demanded = { tools: mixed, tool_choice: { type: "tool", name: "web_search" } };
  expect(() => adapted(demanded)).toThrow("'tool_choice'");
  expect(() => adapted({ tools: [mixed[1]], tool_choice: { type: "any" } })).toThrow("'tool_choice'");
});

test("half a character in what is left out does not fail the response", () => {
  const { ignored } = adapted({ tools: [{ type: "web\ud800", name: "search" }] });
  expect(ignoredHeader(ignored)).toBe("tools[0]%20(web%EF%BF%BD)");
});

test("one that is left out may have a name of any kind", () => {
  const tools = [{ type: "web_search_20250305", name: { toString: null, valueOf: null } }];
  expect(namesOf({ tools })).toEqual([[], ["tools[0] (web_search_20250305)"]]);
});

test.each([
  ["bash_20250124", "bash", ["command", "restart"]],
  ["text_editor_20250124", "str_replace_editor", ["command", "path", "old_str", "insert_text"]],
  ["text_editor_20250728", "str_replace_based_edit_tool", ["command", "path", "old_str", "insert_text"]],
  ["memory_20250818", "memory", ["command", "path", "old_path", "new_path"]],
])("%s, which the client runs, is shown with its schema", (type, name, properties) => {
  const { sent, ignored } = adapted({
    tools: [{ type, name, cache_control: { type: "ephemeral" } }],
    tool_choice: { type: "auto" },
  });
  const [shown] = sent.tools as { function: { name: string; parameters: { properties: object } } }[];
  expect(shown?.function.name).toBe(name);
  expect(Object.keys(shown?.function.parameters.properties ?? {})).toEqual(
    expect.arrayContaining(properties) as string[],
  );
  expect(ignored).toEqual([]);
  // Its call can be demanded as that of any tool.
  expect(adapted({ tools: [{ type, name }], tool_choice: { type: "tool", name } }).sent.format).toMatchObject(
    {
      properties: { name: { const: name } },
    },
  );
});

test("a computer, a browser and what comes one day are left out", () => {
  const tools = [
    named("f"),
    { type: "computer_20250124", name: "computer", display_width_px: 1, display_height_px: 1 },
    { type: "bash_code_execution_20990101", name: "bash" },
  ];
  expect(namesOf({ tools })).toEqual([
    ["f"],
    ["tools[1] (computer_20250124)", "tools[2] (bash_code_execution_20990101)"],
  ]);
});

test("a deferred tool is shown once the conversation refers to it", () => {
  const deferred = { defer_loading: true };
  const all = [
    named("find"),
    named("a", deferred),
    named("b", deferred),
    named("c", deferred),
    named("d", deferred),
  ];
  expect(namesOf({ tools: all })).toEqual([["find"], []]);
  const call = { type: "tool_use", id: "1", name: "c", input: {} };
  const found = [{ type: "tool_reference", tool_name: "b" }];
  const messages = [
    user,
    { role: "assistant", content: [call] },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "1", content: found }] },
  ];
  expect(namesOf({ tools: all, messages })[0]).toEqual(["find", "b", "c"]);
  expect(namesOf({ tools: all, tool_choice: { type: "tool", name: "d" } })[0]).toEqual(["find", "d"]);
  expect(adapted({ messages, tools: all }).sent.messages).toContainEqual(
    expect.objectContaining({ role: "tool", content: "The tool b is available now." }),
  );
});

test("deferred tools are shown where what would find them does not run here", () => {
  const search = { type: "tool_search_tool_regex_20251119", name: "tool_search_tool_regex" };
  const tools = [search, named("f"), named("a", { defer_loading: true })];
  expect(namesOf({ tools })).toEqual([["f", "a"], ["tools[0] (tool_search_tool_regex_20251119)"]]);
  expect(namesOf({ tools: [named("a", { defer_loading: true })] })[0]).toEqual(["a"]);
});

test("tools change in mid-conversation", () => {
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
  expect(namesOf({ tools, messages: [user, { role: "system", content }] })[0]).toEqual(["a", "g", "new"]);
});
