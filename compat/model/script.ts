// What the model of the compatibility matrix says, whatever its conversation is about: the text depends on the tools
// that it has, on the last message, and on whether it was sent earlier turns. The weights (weights.ts) and the fake
// Ollama of the tests say the same.

/** The tools that the model calls if it has them, with the arguments that it gives them. */
export const calls = {
  weather: { city: "Oslo" },
  exec_command: { cmd: "ls" },
  bash: { command: "ls > listing.txt", description: "List" },
  run_shell_command: { command: "ls > listing.txt", description: "List" },
  Bash: { command: "ls > listing.txt", description: "List" },
} as const satisfies Record<string, Readonly<Record<string, string>>>;

export type ToolName = keyof typeof calls;

export const toolNames = Object.keys(calls) as readonly ToolName[];

/** What it says where it calls no tool, in the pieces that it is streamed in: no piece is in two texts. */
export const says = {
  /** To the first message. */
  first: ["Hello", " there", ", friend."],
  /** To a later message. */
  again: ["And hello", " once more!"],
  /** After the result of a tool. */
  result: ["It rains", " in Oslo."],
  /** After the result of a tool, where its thinking of before was sent back to it. */
  thoughtful: ["As I thought,", " it rains."],
  /** To a message with an image. */
  image: ["I see", " a picture."],
} as const;

export type Reply = keyof typeof says;

export function textOf(reply: Reply): string {
  return says[reply].join("");
}

/** What the model has to fill in where a schema wants any string. */
export const anyString = "Oslo";

/** Its thinking before a text or a tool call, in pieces. */
export function thoughtsBefore(state: Reply | ToolName): readonly [string, string] {
  return [`Next is: ${state}`, `, so ${state}.`];
}

/** The response to a message with an image. */
export const lookAt = "Look";

/**
 * Begins a call of a tool. It holds no word: Ollama looks for the name of a tool in all of the text from here on, and some
 * client's tool is called like the usual tag.
 */
export const callTag = "<@>";
