import { expect, test } from "vitest";
import { adaptResponses } from "../../../gateway/src/apis/openai-responses/adapter.ts";
import { encodeReasoning } from "../../../gateway/src/apis/openai-responses/encrypted-reasoning.ts";
import { responsesSchema } from "../../../gateway/src/apis/openai-responses/schema.ts";
import { parseBody } from "../../../gateway/src/apis/common/validation.ts";

function translate(body: object): object {
  const request = parseBody(responsesSchema, { model: "m", ...body });
  return adaptResponses(request, { ignore: () => undefined }).call.body;
}

const user = { role: "user", content: "Hi" };

test("restores the model's thinking from its encrypted content, else from its text, else from its summary", () => {
  const text = [{ type: "reasoning_text", text: "Text." }];
  const summary = [{ type: "summary_text", text: "Summary." }];
  const thinkingOf = (item: object) => {
    const input = [
      { type: "reasoning", ...item },
      { role: "assistant", content: "Hi" },
    ];
    return (translate({ input }) as { messages: { thinking?: string }[] }).messages[0]?.thinking;
  };
  const encrypted = encodeReasoning("Hm. \u{1f914}");
  expect(thinkingOf({ encrypted_content: encrypted, content: text, summary })).toBe("Hm. \u{1f914}");
  expect(thinkingOf({ encrypted_content: "gAAAA", content: text, summary })).toBe("Text.");
  expect(thinkingOf({ encrypted_content: null, content: null, summary })).toBe("Summary.");
  expect(thinkingOf({ id: "rs_1", summary: [] })).toBeUndefined();
});

test("translates items of other servers that the model can use, and drops the others", () => {
  const input = [
    { role: "user", content: "Hi" },
    { type: "web_search_call", id: "ws_1", status: "completed", action: { type: "search", query: "x" } },
    { type: "compaction", id: "cmp_1", encrypted_content: "gAAAA" },
    {
      type: "message",
      role: "assistant",
      content: [
        { type: "output_text", text: "One", annotations: [{ type: "url_citation" }], logprobs: null },
        { type: "output_audio", data: "AAAA" },
      ],
      phase: "commentary",
      provider_specific_fields: {},
    },
    { type: "function_call", call_id: "c1", name: "f", namespace: "crm", arguments: "{}", caller: null },
    { type: "custom_tool_call", call_id: "c2", name: "patch", input: "*** Begin" },
    { type: "shell_call", call_id: "c3", action: { commands: ["ls"] } },
    { type: "apply_patch_call", call_id: "c4", operation: { type: "delete_file", path: "a" } },
    { type: "function_call_output", call_id: "c1", output: "one" },
    { type: "custom_tool_call_output", call_id: "c2", output: [{ type: "input_text", text: "two" }] },
    { type: "shell_call_output", call_id: "c3", output: [{ stdout: "a", stderr: "" }] },
    { type: "apply_patch_call_output", call_id: "c4", output: null, status: "completed" },
    { type: "local_shell_call", id: "ls_1", call_id: "c5", action: { type: "exec", command: ["ls"] } },
    { type: "local_shell_call_output", id: "c5", output: "five" },
    { type: "mcp_call", id: "mcp_1", server_label: "s", name: "ask", arguments: '{"q":1}', output: "six" },
    { role: "user", content: "Go on." },
  ];
  const call = (id: string, name: string, args: object) => ({ id, function: { name, arguments: args } });
  const output = (id: string, name: string, content: string) => ({
    role: "tool",
    content,
    tool_call_id: id,
    tool_name: name,
  });
  expect((translate({ input }) as { messages: object[] }).messages).toEqual([
    user,
    {
      role: "assistant",
      content: "One",
      tool_calls: [
        call("c1", "crm__f", {}),
        call("c2", "patch", { input: "*** Begin" }),
        call("c3", "shell", { commands: ["ls"] }),
        call("c4", "apply_patch", { type: "delete_file", path: "a" }),
      ],
    },
    output("c1", "crm__f", "one"),
    output("c2", "patch", "two"),
    output("c3", "shell", '[{"stdout":"a","stderr":""}]'),
    output("c4", "apply_patch", '""'),
    {
      role: "assistant",
      content: "",
      tool_calls: [call("c5", "local_shell", { type: "exec", command: ["ls"] })],
    },
    output("c5", "local_shell", "five"),
    { role: "assistant", content: "", tool_calls: [call("mcp_1", "ask", { q: 1 })] },
    output("mcp_1", "ask", "six"),
    { role: "user", content: "Go on." },
  ]);
});
