import { explain } from "./error-hints.ts";
import { PulumiFailed } from "../stack/pulumi-cli.ts";

/** Runs a command. Prints one line for an error; after the CLI's own message, prints a hint. */
export async function main(body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (error instanceof PulumiFailed) {
      if (!error.shown) console.error(error.stderr.trim());
      const hint = explain(error.stderr);
      if (hint !== undefined) console.error(hint);
      process.exitCode = error.code;
      return;
    }
    console.error(
      `error: ${isDiskFull(error) ? diskFull(error) : error instanceof Error ? error.message : String(error)}`,
    );
    process.exitCode = 1;
  }
}

function isDiskFull(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === "ENOSPC";
}

function diskFull({ path, message }: NodeJS.ErrnoException): string {
  return `the disk is full: free some space${path === undefined ? "" : ` for ${path}`} and run it again (${message})`;
}
