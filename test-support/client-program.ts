import { execFile } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

// Programs are too large for everybody's node_modules: they are installed once per machine, in the pinned version.
const FOLDER = join(homedir(), ".cache", "ollama-stack", "clients");

/** The path of a program from the package registry, which is installed if it is not there yet. */
export async function installedProgram(name: string, version: string, bin: string): Promise<string> {
  const folder = join(FOLDER, `${name.replaceAll(/[@/]/g, "-").replace(/^-/, "")}-${version}`);
  const program = join(folder, "node_modules", ".bin", bin);
  if (!existsSync(program)) {
    mkdirSync(folder, { recursive: true });
    await run("npm", ["install", "--prefix", folder, "--no-save", "--no-package-lock", `${name}@${version}`]);
  }
  return program;
}
