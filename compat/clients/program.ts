import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installedProgram, runProgram } from "../../test-support/host/client-program.ts";

export interface Program {
  readonly package: string;
  readonly version: string;
  readonly bin: string;
}

/** A program with its settings in its workplace. */
export type StartedProgram = Omit<Workplace, "run"> & {
  readonly run: (...args: string[]) => ReturnType<typeof runProgram>;
};

/** Returns the path of a program. Installs it if necessary, which takes minutes. */
export function install({ package: name, version, bin }: Program): Promise<string> {
  return installedProgram(name, version, bin);
}

/** A separate home and working folder for a program. */
export interface Workplace {
  readonly home: string;
  readonly folder: string;
  readonly run: (args: readonly string[], env: NodeJS.ProcessEnv) => ReturnType<typeof runProgram>;
  readonly remove: () => void;
}

/** Creates a workplace for a program, and installs the program if necessary. */
export async function createWorkplace(program: Program): Promise<Workplace> {
  const path = await install(program);
  const [home, folder] = ["home", "work"].map((kind) =>
    mkdtempSync(join(tmpdir(), `${program.bin}-${kind}-`)),
  ) as [string, string];
  writeFileSync(join(folder, "note.txt"), "hello");
  return {
    home,
    folder,
    run: (args, env) =>
      runProgram(path, args, { cwd: folder, env: { PATH: process.env["PATH"], HOME: home, ...env } }),
    remove() {
      for (const each of [home, folder]) rmSync(each, { recursive: true, force: true });
    },
  };
}
