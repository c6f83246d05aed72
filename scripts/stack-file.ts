import { readFileSync, writeFileSync } from "node:fs";

const salt = /^encryptionsalt: .*\n/m;

/**
 * Keeps a stack's config file as it was when this process ends, if all that the CLI did was to add its encryption salt.
 * The salt belongs to one user's passphrase: committed by one, it would lock out the next. The CLI makes another when
 * it is missing, and the state keeps its own. A file that holds secrets needs its salt, and keeps it.
 */
export function keepStackFile(path: string): void {
  const before = read(path);
  if (before === undefined || salt.test(before)) return;
  process.once("exit", () => {
    const after = read(path);
    if (after !== undefined && after !== before && after.replace(salt, "") === before)
      writeFileSync(path, before);
  });
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
