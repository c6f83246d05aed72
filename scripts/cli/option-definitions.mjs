// @ts-check

/**
 * @typedef {object} OptionDefinition
 * @property {"string" | "boolean"} type
 * @property {string} text what it does, for the help
 * @property {string} [short] one letter
 * @property {string} [value] what its value is called in the help
 * @property {readonly string[]} [choices] the values that it allows
 */

/**
 * @typedef {object} CommandDefinition
 * @property {string} summary
 * @property {string} [script] its npm script, where that is called otherwise
 * @property {readonly string[]} [operands] what may follow the name, a line for each form; none by default
 * @property {Readonly<Record<string, OptionDefinition>>} options
 * @property {string} [passesTo] the program that gets everything after a "--"
 * @property {boolean} [passesAll] whether that program gets all other arguments, too
 * @property {string} [notes] more about it, for the help
 */

export const stack = /** @type {const} */ ({
  type: "string",
  short: "s",
  value: "NAME",
  text: "the stack; by default what PULUMI_STACK says, or dev, or local where tools are built",
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
  },
});
