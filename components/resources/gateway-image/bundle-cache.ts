import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { z } from "zod";

// Paths relative to the project's folder, and the files' SHA-256.
const digests = z.record(z.string(), z.string());
const record = z.object({ inputs: digests, outputs: digests });

/** @param outdir the bundle's folder, relative to the project */
export function recordPath(projectRoot: string, outdir: string): string {
  // Several copies of the project may share what is installed.
  const id = createHash("sha256").update(join(projectRoot, outdir)).digest("hex").slice(0, 16);
  return join(projectRoot, "node_modules", ".cache", "ollama-stack", `bundle-${id}.json`);
}

/**
 * Records the inputs and outputs of a bundle, so that rebuilding it, the slowest part of a preview, can be skipped. Compares
 * contents instead of modification times, which a checkout changes.
 */
export class BundleRecord {
  readonly #root: string;
  readonly #path: string;

  /** @param outdir the bundle's folder, relative to the project */
  constructor(projectRoot: string, outdir: string) {
    this.#root = projectRoot;
    this.#path = recordPath(projectRoot, outdir);
  }

  /** The files of the bundle, relative to the project, if they and all inputs are unchanged; else undefined. */
  unchanged(): string[] | undefined {
    try {
      const { inputs, outputs } = record.parse(JSON.parse(readFileSync(this.#path, "utf8")));
      const same = Object.entries({ ...inputs, ...outputs }).every(
        ([path, was]) => this.#digest(path) === was,
      );
      return same ? Object.keys(outputs) : undefined;
    } catch {
      // There is no record, or a file is missing.
      return undefined;
    }
  }

  write(inputs: Iterable<string>, outputs: Iterable<string>): void {
    const of = (paths: Iterable<string>) =>
      Object.fromEntries([...paths].map((path) => [path, this.#digest(path)]));
    mkdirSync(dirname(this.#path), { recursive: true });
    // Another run may be reading it.
    const partial = `${this.#path}.${process.pid}`;
    writeFileSync(partial, JSON.stringify({ inputs: of(inputs), outputs: of(outputs) }));
    renameSync(partial, this.#path);
  }

  /** A file's path in the record. */
  nameOf(path: string): string {
    return relative(this.#root, path);
  }

  #digest(path: string): string {
    return createHash("sha256")
      .update(readFileSync(join(this.#root, path)))
      .digest("hex");
  }
}
