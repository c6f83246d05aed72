import type { commands } from "./command-definitions.mjs";
import { type CommandName, helpOf, parseCommandLine } from "./command-line.mjs";
import { main } from "./main.ts";

type Definitions = typeof commands;

/** The options of a command, typed by its definition. */
export type OptionsOf<N extends CommandName> = {
  readonly [O in keyof Definitions[N]["options"]]?: Definitions[N]["options"][O] extends { type: "boolean" }
    ? boolean
    : Definitions[N]["options"][O] extends { choices: readonly (infer Choice)[] }
      ? Choice
      : string;
};

/** A valid command line. */
export interface CommandLine<N extends CommandName> {
  readonly options: OptionsOf<N>;
  readonly operands: readonly string[];
  /** Arguments that are passed on to another program. */
  readonly passed: readonly string[];
}

/** Prints an npm command's help, or runs it with the parsed options. */
export async function command<N extends CommandName>(
  name: N,
  body: (line: CommandLine<N>) => Promise<void>,
): Promise<void> {
  await main(async () => {
    const { help, options, operands, passed } = parseCommandLine(name, process.argv.slice(2), process.env);
    if (help) console.log(helpOf(name));
    else await body({ options: options as OptionsOf<N>, operands, passed });
  });
}
