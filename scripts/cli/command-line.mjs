// @ts-check
import { parseArgs } from "node:util";
import { commands } from "./command-definitions.mjs";

/** @typedef {import("./option-definitions.mjs").CommandDefinition} CommandDefinition */
/** @typedef {keyof typeof commands} CommandName */

/**
 * @typedef {object} ParsedCommandLine
 * @property {boolean} help whether --help is set
 * @property {Record<string, string | boolean>} options
 * @property {string[]} operands
 * @property {string[]} passed arguments that are passed on to another program
 */

/** An invalid command line. */
export class UsageError extends Error {
  /** @override */
  name = "UsageError";
}

// Settings of npm itself, which it sets for every script from .npmrc: they are not meant for these commands.
const neverFromNpm = new Set(["yes", "tag", "only", "before"]);

/**
 * @param {string} name
 * @returns {name is CommandName}
 */
export function isCommand(name) {
  return Object.hasOwn(commands, name);
}

/**
 * Parses a command line. Arguments after "--" are passed on to another program. Options that npm consumed
 * (`npm run up --stack=dev`) count unless the command line sets them too, or they are npm's own.
 *
 * @param {CommandName} name
 * @param {readonly string[]} args
 * @param {Readonly<Record<string, string | undefined>>} environment
 * @returns {ParsedCommandLine}
 * @throws {UsageError} for unknown options and arguments
 */
export function parseCommandLine(name, args, environment) {
  const definition = definitionOf(name);
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  const { own, others } = definition.passesAll
    ? pickOwn(args.slice(0, end), definition)
    : { own: args.slice(0, end), others: [] };
  const passed = [...others, ...args.slice(definition.passesAll ? end : end + 1)];
  if (passed.length > 0 && definition.passesTo === undefined)
    throw new UsageError(
      `${name} does not pass arguments on to a program, but got "-- ${passed.join(" ")}". ${seeHelp(name)}`,
    );
  const { tokens } = parseArgs({
    args: own,
    options: { ...parseOptions(definition), help: { type: "boolean", short: "h" } },
    strict: false,
    tokens: true,
  });
  /** @type {ParsedCommandLine} */
  const result = { help: false, options: fromNpm(name, definition, environment), operands: [], passed };
  for (const token of tokens) {
    if (token.kind === "positional") result.operands.push(token.value);
    else if (token.kind === "option" && token.name === "help") result.help = true;
    else if (token.kind === "option") result.options[token.name] = valueOf(name, definition, token);
  }
  if (!result.help && result.operands.length > 0 && definition.operands === undefined)
    throw new UsageError(
      `${name} takes options only, but got "${result.operands.join(" ")}". ${"stack" in definition.options ? `Options come after --: npm run ${scriptOf(name)} -- --stack NAME` : seeHelp(name)}`,
    );
  return result;
}

/**
 * The output of `--help`.
 *
 * @param {CommandName} name
 */
export function helpOf(name) {
  const { summary, operands = [""], options, passesTo, passesAll, notes } = definitionOf(name);
  /** @type {CommandDefinition["options"]} */
  const all = { ...shownOptions(name), help: { type: "boolean", short: "h", text: "print this" } };
  const rows = Object.entries(all).map(([option, { short, value, choices, text }]) => {
    const parts = [short === undefined ? "    " : `-${short}, `, `--${option}`];
    return [`${parts.join("")}${value === undefined ? "" : ` ${choices?.join("|") ?? value}`}`, text];
  });
  const width = Math.max(...rows.map(([left = ""]) => left.length));
  const rest = passesTo === undefined || passesAll ? "" : ` [-- OPTION OF ${passesTo}...]`;
  const own = Object.keys(options).length === 0 ? "" : " [OPTION...]";
  const usages = operands.map(
    (each) => `npm run ${scriptOf(name)} --${each === "" ? "" : ` ${each}`}${own}${rest}`,
  );
  return [
    summary,
    "",
    `Usage: ${usages.join("\n       ")}`,
    "",
    ...rows.map(([left = "", text]) => `  ${left.padEnd(width)}  ${text}`),
    ...(notes === undefined ? [] : ["", notes]),
  ].join("\n");
}

/**
 * @param {CommandName} name
 * @returns {CommandDefinition}
 */
function definitionOf(name) {
  return commands[name];
}

/**
 * A command's options without the hidden ones.
 *
 * @param {CommandName} name
 */
export function shownOptions(name) {
  return Object.fromEntries(Object.entries(definitionOf(name).options).filter(([, { hidden }]) => !hidden));
}

/**
 * The npm script of a command.
 *
 * @param {CommandName} name
 */
export function scriptOf(name) {
  return definitionOf(name).script ?? name;
}

/** @param {CommandName} name */
function seeHelp(name) {
  return `See npm run ${scriptOf(name)} -- --help`;
}

/**
 * Finds the command's own options among another program's arguments.
 *
 * @param {readonly string[]} args
 * @param {CommandDefinition} definition
 */
function pickOwn(args, { options }) {
  const names = Object.entries(options).flatMap(([name, { short }]) => [
    `--${name}`,
    ...(short ? [`-${short}`] : []),
  ]);
  /** @type {string[]} */
  const own = [];
  /** @type {string[]} */
  const others = [];
  if (args[0] === "--help" || args[0] === "-h") return { own: args, others };
  for (let i = 0; i < args.length; i += 1) {
    const arg = args[i] ?? "";
    const [flag] = arg.split("=", 1);
    if (names.includes(arg)) own.push(arg, ...args.slice((i += 1), i + 1));
    else if (names.includes(flag ?? "") || (/^-[^-]./.test(arg) && names.includes(arg.slice(0, 2))))
      own.push(arg);
    else others.push(arg);
  }
  return { own, others };
}

/** @param {CommandDefinition} definition */
function parseOptions({ options }) {
  return Object.fromEntries(
    Object.entries(options).map(([name, { type, short }]) => [
      name,
      short === undefined ? { type } : { type, short },
    ]),
  );
}

/**
 * @param {CommandName} name
 * @param {CommandDefinition} definition
 * @param {{ name: string, rawName: string, value?: string | undefined, inlineValue?: boolean | undefined }} token
 */
function valueOf(name, { options, passesTo }, { name: option, rawName, value: text, inlineValue }) {
  const known = Object.hasOwn(options, option) ? options[option] : undefined;
  if (known === undefined) {
    const way =
      passesTo === undefined
        ? ""
        : ` Options of ${passesTo} come after another --: npm run ${scriptOf(name)} -- -- ${rawName}`;
    throw new UsageError(`${name} has no option ${rawName}. ${seeHelp(name)}.${way}`);
  }
  if (known.type === "boolean") {
    if (text !== undefined)
      throw new UsageError(`${rawName} takes no value, but got "${text}". ${seeHelp(name)}`);
    return true;
  }
  // "-s=dev" is read as "-s" with the value "=dev".
  const value = rawName.startsWith("--") ? text : text?.replace(/^=/, "");
  if (value === undefined || value === "" || (!inlineValue && value.startsWith("-")))
    throw new UsageError(
      `${rawName} needs a value, such as --${option} ${known.choices?.[0] ?? known.value ?? ""}`,
    );
  return allowed(rawName, known, value);
}

/**
 * @param {string} shown the option as written
 * @param {import("./option-definitions.mjs").OptionDefinition} option
 * @param {string} value
 */
function allowed(shown, { choices, form }, value) {
  if (choices !== undefined && !choices.includes(value))
    throw new UsageError(`${shown} is ${value}, but must be ${choices.join(" or ")}`);
  if (form !== undefined && !form.pattern.test(value))
    throw new UsageError(`${shown} is ${value}, but must be ${form.text}`);
  return value;
}

/**
 * Options that npm consumed: `npm run up --stack=dev` sets npm_config_stack.
 *
 * @param {CommandName} name
 * @param {CommandDefinition} definition
 * @param {Readonly<Record<string, string | undefined>>} environment
 * @returns {Record<string, string | boolean>}
 */
function fromNpm(name, { options }, environment) {
  /** @type {Record<string, string | boolean>} */
  const found = {};
  for (const [option, definition] of Object.entries(options)) {
    const value = environment[`npm_config_${option.replaceAll("-", "_")}`];
    if (value === undefined || neverFromNpm.has(option)) continue;
    if (definition.type === "boolean") {
      if (value === "true") found[option] = true;
    } else if (value === "" || value === "true")
      throw new UsageError(
        `npm consumed --${option} as its own option without a value: use npm run ${scriptOf(name)} -- --${option} ${definition.value ?? "VALUE"}`,
      );
    else found[option] = allowed(`--${option}`, definition, value);
  }
  return found;
}
