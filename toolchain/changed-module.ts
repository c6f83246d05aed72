import { chmodSync, cpSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { runTool, SetupError } from "../host/exec.ts";
import type { Go } from "./go.ts";

/** A module that is built with changes, because the module proxy lacks what its own sources or its users need. */
export interface ChangedModule {
  /** "module@version". */
  readonly module: string;
  /** Of the module's content, as go.sum would have it: Go does not check what it is given as a folder. */
  readonly sum: string;
  /** Folder beside go.mod that `replace` there leads to. */
  readonly folder: string;
  /** A package that goes, with all below it. */
  readonly without?: string;
  /** Folder beside go.mod whose files come in. */
  readonly files: string;
  /** The package that gets them; the module's root by default. */
  readonly package?: string;
}

const downloaded = z.object({ Dir: z.string(), Sum: z.string() });

/** Puts the module beside a go.mod, changed. */
export async function putChangedModule(change: ChangedModule, beside: string, go: Go): Promise<void> {
  const { module, sum } = change;
  const stdout = await runTool(go.command, ["mod", "download", "-json", module], {
    what: `download ${module}`,
    // Not in the folder itself, whose go.mod is replaced by what is not there yet.
    cwd: dirname(beside),
    env: { ...go.env, GOFLAGS: "-mod=mod", GOWORK: "off" },
  });
  const { Dir: source, Sum: found } = downloaded.parse(JSON.parse(stdout));
  if (found !== sum) throw new SetupError(`${module} has the checksum ${found}, and should have ${sum}`);
  const target = join(beside, change.folder);
  const left = change.without === undefined ? undefined : join(source, change.without);
  cpSync(source, target, { recursive: true, filter: (path) => path !== left });
  // Go keeps its modules read-only.
  for (const entry of readdirSync(target, { recursive: true, withFileTypes: true }))
    if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), 0o755);
  chmodSync(target, 0o755);
  cpSync(join(beside, change.files), join(target, change.package ?? "."), { recursive: true });
}
