import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { backendFolder } from "./backend-url.ts";

// The CLI keeps beside each file of a state folder another one of its attributes (NAME.attrs). It writes the file
// itself aside and renames it, but the attributes in place: killed in between, it leaves them empty, and from then on
// it can read neither ("failed to load checkpoint: EOF"). Without them it takes defaults, and nothing is lost.

/** Removes the attributes that a killed run left half written in a state folder; does nothing for other backends. */
export function mendStateFiles(backend: string): void {
  const state = backendFolder(backend);
  if (state === undefined) return;
  const folder = join(state, ".pulumi");
  for (const name of filesBelow(folder)) {
    if (!name.endsWith(".attrs")) continue;
    const path = join(folder, name);
    // Also right while another run writes it: that one keeps the file it has open, and the next write makes another.
    if (statSync(path, { throwIfNoEntry: false })?.size === 0) rmSync(path, { force: true });
  }
}

function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" });
  } catch (error) {
    // Nothing was ever deployed with it.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
