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

/** A stack's file that is no YAML. */
class UnreadableFile extends Error {}

/** The file with the config of a stack. */
export function stackFile(stack: string, folder = root): string {
  return join(folder, `Pulumi.${shortStackName(stack)}.yaml`);
}

/** The default of each config key, as Pulumi.yaml has it. */
export function projectDefaults(): Record<string, unknown> {
  const text = readFileSync(join(root, "Pulumi.yaml"), "utf8");
  const { config } = parse(text) as { config: Record<string, { default: unknown }> };
  return Object.fromEntries(Object.entries(config).map(([key, { default: value }]) => [key, value]));
}

/** What a stack's file, or another one in its stead, sets a key to. */
export function settingOf(stack: string, key: string, file = stackFile(stack)): unknown {
  const text = readText(file);
  if (text === undefined) return undefined;
  const content = parseFile(file, text) as { config?: Record<string, unknown> } | null;
  return content?.config?.[`ollama-stack:${key}`];
}

/** Whether a stack's config says that it is on Kubernetes. */
export function isOnCluster(stack: string): boolean {
  return settingOf(stack, "engine") === "kubernetes";
}

/**
 * The stacks whose files say so.
 *
 * @param onUnreadable is given the problem of each file that is no YAML
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
    throw new UnreadableFile(`${file} is no valid YAML: ${why.replace(/:$/, "")}. Correct it.`, {
      cause: error,
    });
  }
}

/** The engine that a stack's config names. What is wrong with that file, the program says. */
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
 * Keeps a stack's config file as it was when this process ends, if all that was done was to add its encryption salt.
 * The salt belongs to one user's passphrase: committed by one, it would lock out the next. The CLI makes another when
 * it is missing, and encrypts the state with that. A file that holds secrets needs its salt, and keeps it.
 */
export function keepStackFile(path: string): void {
  const before = readText(path);
  if (before === undefined || hasSalt(before)) return;
  process.once("exit", () => {
    const after = readText(path);
    if (after === undefined || after === before) return;
    // Never empty in between, for whoever reads it just then.
    if (after.startsWith(before) && withoutSalt(after) === before)
      truncateSync(path, Buffer.byteLength(before));
    else if (settingsIn(after) === settingsIn(before)) writeFileSync(path, before);
  });
}

/**
 * A copy of a stack's file for the CLI, which writes a salt into it, where the checkout is read-only; undefined where the
 * file itself will do.
 *
 * @param folder where the copy goes
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

/** What a stack's file sets, whatever way it is written: with its salt, the CLI writes numbers as text. */
export function settingsIn(text: string): string {
  return JSON.stringify(parse(text), (key, value: unknown) => {
    if (key === salt) return undefined;
    return typeof value === "number" || typeof value === "boolean" ? String(value) : value;
  });
}

/** Whether commands of the CLI find a salt in a stack's file, and so leave the file as it is. */
export function isSalted(stack: string): boolean {
  return hasSalt(readText(stackFile(stack)) ?? "");
}

function hasSalt(text: string): boolean {
  return new RegExp(`^${salt}:`, "m").test(text);
}

/** The content of a file, or undefined when there is none. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
