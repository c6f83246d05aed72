import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { cacheRoot } from "../host/cache-dir.mjs";
import { isRunning } from "../host/process-liveness.mjs";

/** A short hash of all inputs of an artefact. */
export function keyOf(inputs: readonly (string | Buffer)[]): string {
  const hash = createHash("sha256");
  // Includes the length of each input, so that ["ab", "c"] and ["a", "bc"] differ.
  for (const input of inputs) hash.update(`${Buffer.byteLength(input)}:`).update(input);
  return hash.digest("hex").slice(0, 12);
}

/** The key of a small folder of sources: names and contents, in a fixed order. */
export function keyOfFolder(dir: string, extra: readonly string[] = []): string {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return keyOf([...extra, ...files.flatMap((file) => [relative(dir, file), readFileSync(file)])]);
}

/** The folder of a finished artefact. */
export function artefactPath(name: string, key: string): string {
  return join(cacheRoot(), `${name}-${key}`);
}

/**
 * Builds an artefact unless it exists. `make` fills a temporary folder, which is renamed when complete, so that an
 * interrupted run leaves nothing that looks like a finished artefact.
 */
export async function artefact(
  name: string,
  key: string,
  make: (partial: string) => Promise<void>,
): Promise<string> {
  const target = artefactPath(name, key);
  if (existsSync(target)) return target;
  const partial = `${target}.partial-${process.pid}`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  try {
    await make(partial);
    renameSync(partial, target);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return target;
}

/** Removes partial artefacts of killed runs, but not those of running processes. */
export function sweepPartials(): void {
  const root = cacheRoot();
  if (!existsSync(root)) return;
  for (const name of readdirSync(root)) {
    const pid = /\.partial-(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid)))
      rmSync(join(root, name), { recursive: true, force: true });
  }
}
