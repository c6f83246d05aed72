import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheRoot } from "../../host/cache-dir.mjs";
import { artefact, keyOf } from "../../toolchain/cache.ts";
import { ensurePip } from "../../toolchain/wheel.ts";

const run = promisify(execFile);
const here = `${import.meta.dirname}/python`;
const MIB = 1024 * 1024;
// Compiling the imports of the larger packages takes longer than everything that the tests run.
const bytecode = join(cacheRoot(), "compiled-python");

/** Files that pin the versions of packages, one for each set of packages that can be installed together. */
export type Requirements = "requirements.txt" | "agents.txt" | "llama-index.txt" | "aider.txt";

/** Runs Python in `python/` with the pinned packages, and returns its standard output. */
export async function runPython(
  args: readonly string[],
  env: Record<string, string> = {},
  pinned: Requirements = "requirements.txt",
): Promise<string> {
  const packages = await pythonPackages(pinned);
  const { stdout } = await run("python3", args, {
    cwd: here,
    maxBuffer: 16 * MIB,
    env: {
      ...process.env,
      PYTHONPATH: `${packages}:${here}`,
      PYTHONPYCACHEPREFIX: bytecode,
      // Container images often set it, which would leave the folder empty.
      PYTHONDONTWRITEBYTECODE: "",
      ...env,
    },
  }).catch((failed: unknown) => {
    const { stdout: output, stderr } = failed as { stdout: string; stderr: string };
    throw new Error(`${output}\n${stderr}`);
  });
  return stdout;
}

/** The folder of the pinned packages, which are installed if necessary. */
export async function pythonPackages(pinned: Requirements = "requirements.txt"): Promise<string> {
  const requirements = `${here}/${pinned}`;
  const { stdout: version } = await run("python3", ["--version"]);
  return artefact("python-clients", keyOf([version, readFileSync(requirements)]), async (partial) => {
    await ensurePip();
    const pip = ["-m", "pip", "install", "--quiet", "--no-compile", "--target", partial];
    await run("python3", [...pip, "-r", requirements]);
  });
}
