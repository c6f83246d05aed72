import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { codeFor } from "../../../console/src/chat/code-snippets.ts";
import { defaultSettings } from "../../../console/src/chat/conversation.ts";
import { chatBody } from "../../../console/src/chat/request-body.ts";

// Each of these would end a string or run a command in one of the languages.
const HOSTILE = `it's "quoted" \\ $(id) \`id\` \${id} 'EOF' {{x}} %s \r\n\t\u0000\u2028 über 🦙 """ '''`;

const settings = {
  ...defaultSettings,
  model: "m",
  system: HOSTILE,
  temperature: "0.5",
  seed: "7",
  stop: "\n",
  thinking: "none",
} as const;
const body = chatBody(settings, [
  { role: "user", text: HOSTILE, images: ["data:image/png;base64,AA=="] },
  { role: "assistant", text: "Yes" },
  { role: "user", text: "Why?" },
]);
const options = { url: "http://127.0.0.1:8000", needsKey: false };

it("the curl code sends exactly the body when a shell runs it", () => {
  const code = codeFor("curl", body, options).replace(/^curl/, "show");
  const script = `show() { for each; do printf '%s\\0' "$each"; done; }\n${code}`;
  // An argument of a shell cannot contain NUL, so it separates the arguments; JSON escapes it.
  const args = execFileSync("sh", ["-c", script], { encoding: "utf8" }).split("\0");
  expect(args.slice(0, 5)).toEqual([
    "-N",
    "http://127.0.0.1:8000/v1/chat/completions",
    "-H",
    "content-type: application/json",
    "-d",
  ]);
  expect(JSON.parse(args[5] ?? "")).toEqual({ ...body, stream: true });
});

it("the TypeScript code sends exactly the body", () => {
  const code = codeFor("TypeScript", body, options);
  const literal = /create\((\{[\s\S]*\})\);\nfor await/.exec(code)?.[1] ?? "";
  const evaluated = execFileSync(process.execPath, ["-p", `JSON.stringify(${literal})`], {
    encoding: "utf8",
  });
  expect(JSON.parse(evaluated)).toEqual({ ...body, stream: true });
});

it("the Python code sends exactly the body", () => {
  const code = codeFor("Python", body, options);
  const call = /client\.chat\.completions\.create\(([\s\S]*)\n\)\nfor chunk/.exec(code)?.[1] ?? "";
  // Python literals are valid in JavaScript, except for these names and the keyword arguments.
  const names: Readonly<Record<string, string>> = { True: "true", False: "false", None: "null" };
  const script = call
    .replaceAll(/^ {4}(\w+)=/gm, '    "$1": ')
    .replaceAll(/"(?:\\.|[^"\\])*"|\b(?:True|False|None)\b/g, (token) => names[token] ?? token);
  const evaluated = execFileSync(process.execPath, ["-p", `JSON.stringify({${script}})`], {
    encoding: "utf8",
  });
  expect(JSON.parse(evaluated)).toEqual({ ...body, stream: true });
});

it.each(["curl", "TypeScript", "Python"] as const)(
  "the %s code reads the key from the environment if one is needed",
  (language) => {
    expect(codeFor(language, body, { ...options, needsKey: true })).toContain("OLLAMA_STACK_API_KEY");
    expect(codeFor(language, body, options)).not.toContain("OLLAMA_STACK_API_KEY");
  },
);

it("the body omits unset settings and failed messages", () => {
  const plain = chatBody({ ...defaultSettings, model: "m", temperature: " ", topP: "x" }, [
    { role: "user", text: "Hi" },
    { role: "assistant", text: "", state: "failed" },
  ]);
  expect(plain).toEqual({ model: "m", messages: [{ role: "user", content: "Hi" }] });
});
