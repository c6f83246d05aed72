import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";

const run = promisify(execFile);

// The programs are too large for node_modules, so each is installed once per machine, in its pinned version.
const FOLDER = join(homedir(), ".cache", "ollama-stack", "clients");

/** Returns the path of a program from the package registry. Installs it if it is missing. */
export async function installedProgram(name: string, version: string, bin: string): Promise<string> {
  const folder = join(FOLDER, `${name.replaceAll(/[@/]/g, "-").replace(/^-/, "")}-${version}`);
  const program = join(folder, "node_modules", ".bin", bin);
  if (!existsSync(program)) {
    mkdirSync(folder, { recursive: true });
    await run("npm", ["install", "--prefix", folder, "--no-save", "--no-package-lock", `${name}@${version}`]);
  }
  return program;
}

/** Runs a program without input until it ends. It does not outlive this process. */
export async function runProgram(
  program: string,
  args: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<{ readonly output: string; readonly errors: string; readonly exitCode: number | null }> {
  const child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const [output, errors, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close") as Promise<[number | null]>,
  ]);
  process.off("exit", kill);
  return { output, errors, exitCode };
}
