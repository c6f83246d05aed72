import { chmodSync, cpSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { runTool, SetupError } from "../host/exec.ts";
import type { Go } from "./go.ts";

/** A module that is changed for the build, because the module proxy lacks packages that it or its users need. */
export interface ChangedModule {
  /** "module@version". */
  readonly module: string;
  /** The module's checksum as in go.sum, because Go does not check modules that are replaced by folders. */
  readonly sum: string;
  /** The folder next to go.mod to which its `replace` points. */
  readonly folder: string;
  /** A package to remove, with its subpackages. */
  readonly without?: string;
  /** The folder next to go.mod with the files to add. */
  readonly files: string;
  /** The package to which they are added; by default the module's root. */
  readonly package?: string;
}

const downloaded = z.object({ Dir: z.string(), Sum: z.string() });

/** Writes the changed module next to a go.mod. */
export async function putChangedModule(change: ChangedModule, beside: string, go: Go): Promise<void> {
  const { module, sum } = change;
  const stdout = await runTool(go.command, ["mod", "download", "-json", module], {
    what: `download ${module}`,
    // Not in the folder itself, whose go.mod refers to a replacement that does not exist yet.
    cwd: dirname(beside),
    env: { ...go.env, GOFLAGS: "-mod=mod", GOWORK: "off" },
  });
  const { Dir: source, Sum: found } = downloaded.parse(JSON.parse(stdout));
  if (found !== sum) throw new SetupError(`${module} has the checksum ${found}, and should have ${sum}`);
  const target = join(beside, change.folder);
  const left = change.without === undefined ? undefined : join(source, change.without);
  cpSync(source, target, { recursive: true, filter: (path) => path !== left });
  // Go's module cache is read-only.
  for (const entry of readdirSync(target, { recursive: true, withFileTypes: true }))
    if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), 0o755);
  chmodSync(target, 0o755);
  cpSync(join(beside, change.files), join(target, change.package ?? "."), { recursive: true });
}
