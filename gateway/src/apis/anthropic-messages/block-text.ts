import type { DocumentBlock, OtherBlock, SearchResultBlock } from "./blocks.ts";

// Converts blocks without an equivalent in Ollama's messages to text.

const TEXT_TYPE = /^(text\/|application\/(json|xml|yaml)$)/;

/** Text and metadata of a document; undefined if its source is not text. */
export function documentText({ source, title, context }: DocumentBlock): string | undefined {
  const text = sourceText(source);
  return text === undefined ? undefined : element("document", { title }, [context, text]);
}

function sourceText(source: DocumentBlock["source"]): string | undefined {
  switch (source.type) {
    case "text":
      return source.data;
    case "content":
      return typeof source.content === "string"
        ? source.content
        : source.content.flatMap((block) => (block.type === "text" ? block.text : [])).join("\n");
    case "base64":
      return TEXT_TYPE.test(source.media_type ?? "")
        ? Buffer.from(source.data, "base64").toString()
        : undefined;
    case "url":
    case "file":
      return undefined;
  }
}

export function searchResultText({ source, title, content }: SearchResultBlock): string {
  const texts = typeof content === "string" ? [content] : content.map(({ text }) => text);
  return element("search_result", { title, source }, texts);
}

/** All readable text of an unknown block: texts, titles, URLs, output and errors. */
export function readableText(block: OtherBlock): string {
  return [...texts(block)].join("\n");
}

// Excludes `data` and `encrypted_content`, which are not text, and Anthropic's IDs.
const READABLE = ["title", "url", "text", "stdout", "stderr", "error_code", "error_message"];

function* texts(value: unknown): Generator<string> {
  if (typeof value === "string") {
    if (value !== "") yield value;
  } else if (Array.isArray(value)) for (const each of value) yield* texts(each);
  else if (typeof value === "object" && value !== null) {
    const fields = value as Readonly<Record<string, unknown>>;
    for (const name of READABLE) if (typeof fields[name] === "string") yield* texts(fields[name]);
    if (fields["type"] === "text" && typeof fields["data"] === "string") yield fields["data"];
    if (typeof fields["tool_name"] === "string") yield toolReferenceText(fields["tool_name"]);
    for (const name of ["content", "source", "tool_references"]) yield* texts(fields[name]);
  }
}

export function toolReferenceText(toolName: string): string {
  return `The tool ${toolName} is available now.`;
}

function element(
  name: string,
  attributes: Readonly<Record<string, string | null | undefined>>,
  texts: readonly (string | null | undefined)[],
): string {
  const written = Object.entries(attributes).map(([key, value]) =>
    value ? ` ${key}=${JSON.stringify(value)}` : "",
  );
  const content = texts.filter((text) => text).join("\n\n");
  return `<${name}${written.join("")}>\n${content}\n</${name}>`;
}
