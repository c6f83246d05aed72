import { createInterface } from "node:readline/promises";

/** Whether a person can respond to a prompt. */
export function isInteractive(): boolean {
  return process.stdin.isTTY && process.stdout.isTTY;
}

/** A change that needs a confirmation. */
interface Change {
  /** What is done, such as "destroying the stack dev". */
  readonly change: string;
  /** The command that does it with --yes. */
  readonly command: string;
  readonly question: string;
}

/**
 * Whether a change may be made: with --yes, or if a person confirms it.
 *
 * @throws Error if nobody can respond to a prompt
 */
export async function confirmChange(
  yes: boolean | undefined,
  { change, command, question }: Change,
): Promise<boolean> {
  if (yes === true) return true;
  if (isInteractive()) return await confirm(question);
  throw new Error(`${change} requires confirmation; confirm with: ${command} --yes`);
}

/** Prompts on the terminal; any response but yes means no. */
export async function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}
