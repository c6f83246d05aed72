// The replies of the model of the compatibility matrix. They depend on the available tools, on the role of the last
// message, and on whether there were earlier turns, but not on the topic. The weights (weights.ts) and the fake Ollama of
// the tests generate the same texts.

/** The tools that the model calls if they are available, with their arguments. */
export const calls = {
  weather: { city: "Oslo" },
  exec_command: { cmd: "ls" },
  bash: { command: "ls > listing.txt", description: "List" },
  run_shell_command: { command: "ls > listing.txt", description: "List" },
  Bash: { command: "ls > listing.txt", description: "List" },
} as const satisfies Record<string, Readonly<Record<string, string>>>;

export type ToolName = keyof typeof calls;

export const toolNames = Object.keys(calls) as readonly ToolName[];

/** The texts by state, in pieces as they are streamed. Each piece must be unique. */
export const replies = {
  /** To the first message. */
  first: ["Hello", " there", ", friend."],
  /** To a later message. */
  again: ["And hello", " once more!"],
  /** After the result of a tool. */
  result: ["It rains", " in Oslo."],
  /** After the result of a tool, if the client sent back the thinking. */
  thoughtful: ["As I thought,", " it rains."],
  /** To a message with an image. */
  image: ["I see", " a picture."],
} as const;

export type Reply = keyof typeof replies;

export function textOf(reply: Reply): string {
  return replies[reply].join("");
}

/** The value for any string in a schema. */
export const anyString = "Oslo";

/** The thinking before a text or a tool call, in pieces. */
export function thoughtsBefore(state: Reply | ToolName): readonly [string, string] {
  return [`Next is: ${state}`, `, so ${state}.`];
}

/** The text of each message with an image; the template detects the image by it. */
export const imagePrompt = "Look";

/**
 * Begins a tool call. It contains no word, because Ollama searches all text after it for tool names, and some client has
 * a tool with the name of the usual tag.
 */
export const callTag = "<@>";
