import type { ChatBody } from "./request-body.ts";

export const languages = ["curl", "TypeScript", "Python"] as const;
export type Language = (typeof languages)[number];

interface SnippetOptions {
  /** The gateway's URL without a trailing slash. */
  readonly url: string;
  readonly needsKey: boolean;
}

/** The code reads the key from this variable, so that it never contains the key. */
const KEY_VARIABLE = "OLLAMA_STACK_API_KEY";

/** Returns a program that sends the same request. */
export function codeFor(language: Language, body: ChatBody, options: SnippetOptions): string {
  switch (language) {
    case "curl":
      return curl(body, options);
    case "TypeScript":
      return typeScript(body, options);
    case "Python":
      return python(body, options);
  }
}

function curl(body: ChatBody, { url, needsKey }: SnippetOptions): string {
  const json = JSON.stringify({ ...body, stream: true }, null, 2);
  return [
    `curl -N ${shellQuote(`${url}/v1/chat/completions`)} \\`,
    ...(needsKey ? [`  -H "authorization: Bearer $${KEY_VARIABLE}" \\`] : []),
    "  -H 'content-type: application/json' \\",
    `  -d ${shellQuote(json)}`,
  ].join("\n");
}

/** In POSIX shells, single quotes escape everything except themselves. */
function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function typeScript(body: ChatBody, { url, needsKey }: SnippetOptions): string {
  const key = needsKey ? `process.env.${KEY_VARIABLE}` : '"none"';
  const parameters = indent(JSON.stringify({ ...body, stream: true }, null, 2), "");
  return `// npm install openai
import OpenAI from "openai";

const client = new OpenAI({ baseURL: ${JSON.stringify(`${url}/v1`)}, apiKey: ${key} });

const stream = await client.chat.completions.create(${parameters});
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta.content ?? "");
}
`;
}

function python(body: ChatBody, { url, needsKey }: SnippetOptions): string {
  const key = needsKey ? `os.environ["${KEY_VARIABLE}"]` : '"none"';
  const parameters = Object.entries({ ...body, stream: true })
    .map(([name, value]) => `    ${name}=${indent(pythonLiteral(value), "    ")},`)
    .join("\n");
  return `# pip install openai
${needsKey ? "import os\n\n" : ""}from openai import OpenAI

client = OpenAI(base_url=${JSON.stringify(`${url}/v1`)}, api_key=${key})

stream = client.chat.completions.create(
${parameters}
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
`;
}

/** Python and JSON share the syntax of strings and numbers, but not of true, false and null. */
function pythonLiteral(value: unknown): string {
  if (Array.isArray(value)) {
    return value.length === 0 ? "[]" : `[\n${lines(value.map((each) => pythonLiteral(each)))}\n]`;
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value);
    return `{\n${lines(entries.map(([name, each]) => `${JSON.stringify(name)}: ${pythonLiteral(each)}`))}\n}`;
  }
  if (typeof value === "boolean") return value ? "True" : "False";
  return value === null || value === undefined ? "None" : JSON.stringify(value);
}

function lines(values: readonly string[]): string {
  return values.map((value) => `    ${indent(value, "    ")},`).join("\n");
}

function indent(text: string, by: string): string {
  return text.replaceAll("\n", `\n${by}`);
}
