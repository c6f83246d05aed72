// @ts-check

/**
 * @typedef {object} OptionDefinition
 * @property {"string" | "boolean"} type
 * @property {string} text description for the help
 * @property {string} [short] one letter
 * @property {string} [value] placeholder of its value in the help
 * @property {readonly string[]} [choices] allowed values
 * @property {{ readonly pattern: RegExp, readonly text: string }} [form] form of allowed values, in a pattern and in words
 * @property {boolean} [hidden] whether it is left out of the help and of completions
 */

/**
 * @typedef {object} CommandDefinition
 * @property {string} summary
 * @property {string} [script] its npm script, if that has another name
 * @property {readonly string[]} [operands] allowed operands, a line for each form; none by default
 * @property {Readonly<Record<string, OptionDefinition>>} options
 * @property {string} [passesTo] the program that gets the arguments after "--"
 * @property {boolean} [passesAll] whether that program also gets all unknown arguments
 * @property {string} [notes] more details for the help
 */

export const stack = /** @type {const} */ ({
  type: "string",
  short: "s",
  value: "NAME",
  text: "the stack; by default PULUMI_STACK, else dev, or local if tools are built from source",
});

export const common = /** @type {const} */ ({
  stack,
  tools: {
    type: "string",
    value: "SOURCE",
    choices: ["released", "built"],
    text: "where tools and images come from: the released ones, or built on this machine",
  },
  world: {
    type: "string",
    value: "SOURCE",
    choices: ["released", "built"],
    text: "the former name of --tools",
    hidden: true,
  },
});
