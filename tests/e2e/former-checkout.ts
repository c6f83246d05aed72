import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Project } from "../../test-support/stack/project.ts";

/** The packages of a lock file, by path. */
type Locked = Readonly<Record<string, { readonly version?: string; readonly dev?: boolean }>>;

/**
 * Replaces the files of a project's copy with those of a former commit, and later restores the current ones, as
 * `git checkout` would do in a user's clone. The stack's file, state and passphrase stay.
 */
export class FormerCheckout {
  readonly #project: Project;
  readonly #current = mkdtempSync(join(tmpdir(), "ollama-stack-current-"));
  readonly #kept: ReadonlySet<string>;

  constructor(project: Project, commit: string) {
    this.#project = project;
    this.#kept = new Set([".state", `Pulumi.${project.stack}.yaml`]);
    const files = archiveOf(commit);
    this.#move(project.folder, this.#current);
    execFileSync("tar", ["--extract", "--directory", project.folder], { input: files });
    const modules = join(project.folder, "node_modules");
    if (isPartOf(lockIn(project.folder), lockIn(this.#current)))
      symlinkSync(join(process.cwd(), "node_modules"), modules);
    else install(project.folder);
  }

  /** Restores the current files. */
  leave(): void {
    for (const name of this.#others(this.#project.folder))
      rmSync(join(this.#project.folder, name), { recursive: true });
    this.#move(this.#current, this.#project.folder);
    rmSync(this.#current, { recursive: true });
  }

  #move(from: string, to: string): void {
    for (const name of this.#others(from)) renameSync(join(from, name), join(to, name));
  }

  #others(folder: string): string[] {
    return readdirSync(folder).filter((name) => !this.#kept.has(name));
  }
}

/** All files of a commit, as a tar archive. */
function archiveOf(commit: string): Buffer {
  const { status, stdout, stderr } = spawnSync("git", ["archive", "--format", "tar", commit], {
    maxBuffer: 256 * 1024 * 1024,
  });
  if (status === 0) return stdout;
  throw new Error(
    `This clone lacks the commit ${commit}, from which the test upgrades: ${stderr.toString().trim()}. Fetch the full history: git fetch --unshallow`,
  );
}

function lockIn(folder: string): Locked {
  const { packages } = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8")) as {
    packages: Locked;
  };
  return packages;
}

/** Whether the current lock file contains every package that the former program needs, in the same version. */
function isPartOf(former: Locked, current: Locked): boolean {
  return Object.entries(former).every(
    ([path, { version, dev }]) => dev === true || (path in current && current[path]?.version === version),
  );
}

/** Installs what the program needs; the tests run none of the former development tools. */
function install(folder: string): void {
  const args = ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"];
  execFileSync("npm", args, { cwd: folder, stdio: "ignore" });
}
