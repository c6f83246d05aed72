import { PulumiFailed } from "./pulumi-cli.ts";

/** Runs a command's body: what fails ends in one clear line, and what the CLI has already said isn't said again. */
export async function main(body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (error instanceof PulumiFailed) {
      process.exitCode = error.code;
      return;
    }
    console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
