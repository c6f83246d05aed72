interface Choice {
  /** The stack of this command. */
  readonly chosen: string;
  /** The stack of the tools that this command uses. */
  readonly fromTools: string;
  /** Whether an option selects the tools, which the next command would not have. */
  readonly hasToolsOption: boolean;
  /** PULUMI_STACK. */
  readonly fromEnvironment: string | undefined;
}

/** The start of a command with further arguments: "npm run keys -- --stack prod". */
export function commandWith(name: string, stackOption: string): string {
  return `npm run ${name}${stackOption === "" ? " --" : stackOption}`;
}

/**
 * Arguments that make the next `npm run NAME` use the same stack; empty if it does so without any, whether in this shell or in
 * one without PULUMI_STACK.
 */
export function stackOptionFor({ chosen, fromTools, hasToolsOption, fromEnvironment }: Choice): string {
  const isDefault = chosen === fromTools && !hasToolsOption && chosen === (fromEnvironment ?? chosen);
  return isDefault ? "" : ` -- --stack ${chosen}`;
}
