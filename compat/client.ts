import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Reply, textOf } from "./model/script.ts";

/** A service under test: Ollama itself, or the gateway in front of it. */
export interface Endpoint {
  /** Without a trailing slash. */
  readonly url: string;
  /** The scripted model. */
  readonly model: string;
  /** The scripted model without thinking and vision. */
  readonly plainModel: string;
}

/** Uses a client as documented, and throws if the result is wrong. */
export type Scenario = (endpoint: Endpoint) => Promise<void>;

/** A client package or program, with one of the APIs that it supports. */
export interface Client {
  readonly name: string;
  readonly version: string;
  /** By name. */
  readonly scenarios: Readonly<Record<string, Scenario>>;
  /** For programs that are slow to start. */
  readonly timeoutMs?: number;
}

/** The version of an installed npm package. */
export function installedVersion(packageName: string): string {
  const path = join(import.meta.dirname, "..", "node_modules", packageName, "package.json");
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}

export const question = "Hi";

/** A conversation of several turns, in the format of most APIs. */
export const turns = [
  { role: "user" as const, content: question },
  { role: "assistant" as const, content: textOf("first") },
  { role: "user" as const, content: "And now?" },
];

/** A tool with its implementation. */
export const weather = {
  name: "weather",
  description: "The weather in a city",
  schema: {
    type: "object" as const,
    properties: { city: { type: "string" as const } },
    required: ["city"],
    additionalProperties: false as const,
  },
  run: ({ city }: { readonly city: string }) => `Rain in ${city}`,
};

/** The value that the scripted model generates for the schema of that tool. */
export const place = { city: "Oslo" };

/** A red pixel, as a PNG in base64. */
export const picture =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

export function assertReply(text: unknown, reply: Reply): void {
  assert.equal(text, textOf(reply));
}

/** Checks the model's text after a tool call. It depends on whether the client sent back the thinking. */
export function assertUsedTool(text: unknown): void {
  assert.ok(
    text === textOf("result") || text === textOf("thoughtful"),
    `after the tool it said ${JSON.stringify(text)}`,
  );
}

export function assertThought(text: unknown): void {
  assert.match(String(text), /Next is: \w+, so \w+\./);
}

export function assertVector(vector: unknown): void {
  assert.ok(Array.isArray(vector) && vector.length > 0, "no vector");
  for (const number of vector) assert.equal(typeof number, "number");
}

/** Joins the texts of a stream, which must have at least two. */
export async function joinStream(pieces: AsyncIterable<string | null | undefined>): Promise<string> {
  const parts: string[] = [];
  for await (const piece of pieces) if (piece) parts.push(piece);
  assert.ok(parts.length > 1, "the text was not streamed");
  return parts.join("");
}
