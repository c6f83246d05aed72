import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { z } from "zod";

// SHA-256 of a file by its path from the project's folder.
const digests = z.record(z.string(), z.string());
const record = z.object({ inputs: digests, outputs: digests });

/** @param outdir the bundle's folder, from the project's */
export function recordPath(projectRoot: string, outdir: string): string {
  // Several copies of the project may share what is installed.
  const id = createHash("sha256").update(join(projectRoot, outdir)).digest("hex").slice(0, 16);
  return join(projectRoot, "node_modules", ".cache", "ollama-stack", `bundle-${id}.json`);
}

/**
 * What a bundle was made of, so that making it again, which takes longer than all else in a preview, can be left out. It
 * goes by contents, not by times: a checkout may set those as it likes.
 */
export class BundleRecord {
  readonly #root: string;
  readonly #path: string;

  /** @param outdir the bundle's folder, from the project's */
  constructor(projectRoot: string, outdir: string) {
    this.#root = projectRoot;
    this.#path = recordPath(projectRoot, outdir);
  }

  /** The files of the bundle, from the project's folder, if they and all they were made of are as they were. */
  unchanged(): string[] | undefined {
    try {
      const { inputs, outputs } = record.parse(JSON.parse(readFileSync(this.#path, "utf8")));
      const same = Object.entries({ ...inputs, ...outputs }).every(
        ([path, was]) => this.#digest(path) === was,
      );
      return same ? Object.keys(outputs) : undefined;
    } catch {
      // There is none, or a file is gone.
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

  /** How a file is called in the record. */
  nameOf(path: string): string {
    return relative(this.#root, path);
  }

  #digest(path: string): string {
    return createHash("sha256")
      .update(readFileSync(join(this.#root, path)))
      .digest("hex");
  }
}
