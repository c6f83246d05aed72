import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { backendFolder } from "./backend-url.ts";

// The CLI keeps a file of attributes (NAME.attrs) for each file in a state folder. It writes the file atomically, but the
// attributes in place: killed midway, it leaves them empty and can then read neither ("failed to load checkpoint: EOF").
// Without them it uses defaults, so deleting them loses nothing.

/** Removes the attributes that a killed run left half written in a state folder; does nothing for other backends. */
export function removeEmptyAttributes(backend: string): void {
  const state = backendFolder(backend);
  if (state === undefined) return;
  const folder = join(state, ".pulumi");
  for (const name of filesBelow(folder)) {
    if (!name.endsWith(".attrs")) continue;
    const path = join(folder, name);
    // Safe while another run writes it: that run keeps its open file, and the next write creates a new one.
    if (statSync(path, { throwIfNoEntry: false })?.size === 0) rmSync(path, { force: true });
  }
}

function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" });
  } catch (error) {
    // The folder does not exist before the first deployment.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
