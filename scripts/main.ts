import { explain } from "./explain.ts";
import { PulumiFailed } from "./pulumi-cli.ts";

/** Runs a command's body: what fails ends in one clear line, the CLI's own words are followed by what to do. */
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
    console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
