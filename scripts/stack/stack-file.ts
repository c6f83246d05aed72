import {
  accessSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import type { EngineAddress } from "../../engine/docker-cli.ts";
import { shortStackName } from "../../engine/names.ts";

const salt = "encryptionsalt";

const withEngine = z.object({
  config: z.object({
    "ollama-stack:dockerHost": z.string().default(""),
    "ollama-stack:dockerCertPath": z.string().default(""),
  }),
});

const root = join(import.meta.dirname, "..", "..");

/** A stack's config file is not valid YAML. */
class UnreadableFile extends Error {}

/** The path of a stack's config file. */
export function stackFile(stack: string, folder = root): string {
  return join(folder, `Pulumi.${shortStackName(stack)}.yaml`);
}

/** The defaults of the config keys, from Pulumi.yaml. */
export function projectDefaults(): Record<string, unknown> {
  const text = readFileSync(join(root, "Pulumi.yaml"), "utf8");
  const { config } = parse(text) as { config: Record<string, { default: unknown }> };
  return Object.fromEntries(Object.entries(config).map(([key, { default: value }]) => [key, value]));
}

/** A key's value in a stack's config file, or in another file. */
export function settingOf(stack: string, key: string, file = stackFile(stack)): unknown {
  const text = readText(file);
  if (text === undefined) return undefined;
  const content = parseFile(file, text) as { config?: Record<string, unknown> } | null;
  return content?.config?.[`ollama-stack:${key}`];
}

/** Whether a stack is configured for Kubernetes. */
export function isOnCluster(stack: string): boolean {
  return settingOf(stack, "engine") === "kubernetes";
}

/**
 * The stacks configured for Kubernetes.
 *
 * @param onUnreadable called for each file that is not valid YAML
 */
export function stacksOnClusters(onUnreadable: (problem: string) => void, folder = root): string[] {
  return readdirSync(folder)
    .flatMap((file) => /^Pulumi\.(.+)\.yaml$/.exec(file)?.[1] ?? [])
    .filter((stack) => {
      try {
        return settingOf(stack, "engine", stackFile(stack, folder)) === "kubernetes";
      } catch (error) {
        if (!(error instanceof UnreadableFile)) throw error;
        onUnreadable(error.message);
        return false;
      }
    });
}

function parseFile(file: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    const [why = ""] = (error as Error).message.split("\n");
    throw new UnreadableFile(`${file} is not valid YAML: ${why.replace(/:$/, "")}. Correct it.`, {
      cause: error,
    });
  }
}

/** The engine in a stack's config. The program itself reports errors in that file. */
export function engineOf(stack: string | undefined): EngineAddress {
  const text = stack === undefined ? undefined : readText(stackFile(stack));
  const content = stack === undefined || text === undefined ? undefined : parseFile(stackFile(stack), text);
  const { success, data } = withEngine.safeParse(content);
  if (!success) return { dockerHost: "", dockerCertPath: "" };
  return {
    dockerHost: data.config["ollama-stack:dockerHost"],
    dockerCertPath: data.config["ollama-stack:dockerCertPath"],
  };
}

/**
 * When this process exits, restores a stack's config file if the only change was the added encryption salt. The salt belongs
 * to one user's passphrase: if committed, it would lock out other users. The CLI generates a new one if it is missing. A
 * file with secrets needs its salt and keeps it.
 */
export function keepStackFile(path: string): void {
  const before = readText(path);
  if (before === undefined || hasSalt(before)) return;
  process.once("exit", () => {
    const after = readText(path);
    if (after === undefined || after === before) return;
    // Atomic, for concurrent readers.
    if (after.startsWith(before) && withoutSalt(after) === before)
      truncateSync(path, Buffer.byteLength(before));
    else if (settingsIn(after) === settingsIn(before)) writeFileSync(path, before);
  });
}

/**
 * Copies a stack's config file for the CLI, which writes a salt into it, if the checkout is read-only; returns undefined if
 * the file itself is writable.
 *
 * @param folder folder for the copy
 */
export function writableCopy(stack: string, folder: string): string | undefined {
  const file = stackFile(stack);
  const text = readText(file);
  if (text === undefined || isWritable(file)) return undefined;
  const copy = join(folder, "settings", basename(file));
  mkdirSync(dirname(copy), { recursive: true, mode: 0o700 });
  writeFileSync(copy, text, { mode: 0o600 });
  return copy;
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function withoutSalt(text: string): string {
  return text.replace(new RegExp(`^${salt}: \\S+\n`, "m"), "");
}

/** A config file's settings in a comparable form: when it adds the salt, the CLI also writes numbers as text. */
export function settingsIn(text: string): string {
  return JSON.stringify(parse(text), (key, value: unknown) => {
    if (key === salt) return undefined;
    return typeof value === "number" || typeof value === "boolean" ? String(value) : value;
  });
}

/** Whether a stack's file has a salt, so that the CLI does not change it. */
export function isSalted(stack: string): boolean {
  return hasSalt(readText(stackFile(stack)) ?? "");
}

function hasSalt(text: string): boolean {
  return new RegExp(`^${salt}:`, "m").test(text);
}

/** The content of a file; undefined if it does not exist. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
