import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installedProgram, runProgram } from "../../test-support/host/client-program.ts";

export interface Program {
  readonly package: string;
  readonly version: string;
  readonly bin: string;
}

/** A program in its workplace, with its settings. */
export type StartedProgram = Omit<Workplace, "run"> & {
  readonly run: (...args: string[]) => ReturnType<typeof runProgram>;
};

/** The path of a program, which is installed if it is not there: that takes minutes. */
export function install({ package: name, version, bin }: Program): Promise<string> {
  return installedProgram(name, version, bin);
}

/** A program's environment: its own home and a working folder with a file. */
export interface Workplace {
  readonly home: string;
  readonly folder: string;
  readonly run: (args: readonly string[], env: NodeJS.ProcessEnv) => ReturnType<typeof runProgram>;
  readonly remove: () => void;
}

/** A workplace for a program, which is installed if it is not there. */
export async function workplaceOf(program: Program): Promise<Workplace> {
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
