import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

/** The file with the config of a stack. */
export function stackFile(stack: string): string {
  return join(import.meta.dirname, "..", `Pulumi.${stack}.yaml`);
}

/** The default of each config key, as Pulumi.yaml has it. */
export function projectDefaults(): Record<string, unknown> {
  const text = readFileSync(join(import.meta.dirname, "..", "Pulumi.yaml"), "utf8");
  const { config } = parse(text) as { config: Record<string, { default: unknown }> };
  return Object.fromEntries(Object.entries(config).map(([key, { default: value }]) => [key, value]));
}

/** Whether a stack must keep the rules for production. */
export function isProduction(stack: string): boolean {
  const text = read(stackFile(stack));
  if (text === undefined) return false;
  const content = parse(text) as { config?: Record<string, unknown> } | null;
  return String(content?.config?.["ollama-stack:production"]) === "true";
}

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
