import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type Deployed, deployedKeys, type Deployment } from "../stack/deployment.ts";
import type { SelectedStack } from "../stack/selected-stack.ts";
import { pulumi } from "../stack/pulumi-cli.ts";
import { stackFile } from "../stack/stack-file.ts";

// A stack's keys are stored in three places: its config, the gateways' volume, and its state.

const root = join(import.meta.dirname, "..", "..");
const configKey = "ollama-stack:gatewayApiKeys";

const configured = z.looseObject({ [configKey]: z.object({ value: z.string().optional() }).optional() });

/** The entries in a stack's config, each with one or more keys, or a comment. */
export async function readKeyEntries(stack: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  const text = await pulumi(["config", "--json", "--show-secrets", "--stack", stack], {
    env,
    output: "read",
  });
  const value = configured.parse(JSON.parse(text))[configKey]?.value;
  const entries = z.array(z.string()).safeParse(JSON.parse(value ?? "[]"));
  if (entries.success) return entries.data;
  throw new Error(
    `${configKey} is not a list of lines. Remove it and add the keys again: npm run pulumi -- config rm gatewayApiKeys --stack ${stack}`,
  );
}

/** The same for a command that changes nothing. @throws if the stack or its config file does not exist */
export async function readExistingKeyEntries(stack: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  const file = stackFile(stack);
  const hasFile = existsSync(file);
  const entries = await readKeyEntries(stack, env);
  if (hasFile) return entries;
  throw new Error(
    `the keys of the stack ${stack} are unknown, because its config file ${file} is missing. Restore the file`,
  );
}

/** Sets changed entries as secrets, because digests should not be public either. */
export async function writeKeyEntries(
  stack: string,
  env: NodeJS.ProcessEnv,
  before: readonly string[],
  after: readonly string[],
): Promise<void> {
  for (const { index, value } of entryChanges(before, after)) {
    const at = ["--path", `${configKey}[${String(index)}]`, "--stack", stack];
    await (value === undefined
      ? pulumi(["config", "rm", ...at], { env, output: "read" })
      : pulumi(["config", "set", "--secret", ...at], { env, output: "read", input: value }));
  }
}

interface EntryChange {
  readonly index: number;
  /** Undefined to remove the entry; later entries move up. */
  readonly value: string | undefined;
}

/** The edits that turn one list into the other: entries to set or append, then entries to remove. */
export function entryChanges(before: readonly string[], after: readonly string[]): EntryChange[] {
  let tail = 0;
  const shorter = Math.min(before.length, after.length);
  // What moves up by itself when others are removed is not written again.
  if (after.length < before.length)
    while (tail < shorter && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const kept = after.length - tail;
  const set = after
    .slice(0, kept)
    .flatMap((value, index) => (before[index] === value ? [] : [{ index, value }]));
  const removed = before.length - after.length;
  return [...set, ...Array.from({ length: Math.max(0, removed) }, () => ({ index: kept, value: undefined }))];
}

/** Applies keys to the gateways of a running stack, like an update; they are active when this returns. */
export function applyKeys(
  { inputs }: Deployed,
  { stackOption, env }: Omit<SelectedStack, "stack">,
  lines: readonly string[],
): Promise<void> {
  const environment = inputs["environment"] as Readonly<Record<string, string>>;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["components/commands/write-keys.ts"], {
      cwd: root,
      env: { ...env, ...environment },
      stdio: ["pipe", "inherit", "inherit"],
    });
    child.stdin.on("error", () => undefined).end(`${lines.join("\n")}\n`);
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve();
      else
        reject(
          new Error(
            `The config has the new keys, but the gateways do not. Apply them with: npm run up${stackOption}`,
          ),
        );
    });
  });
}

/** Records the applied keys in the state, so that the next preview shows no change. Updates nothing else. */
export async function recordKeys(
  stack: string,
  env: NodeJS.ProcessEnv,
  { resources }: Deployment,
  rules: readonly string[],
): Promise<void> {
  const targets = resources.filter(
    (each) => each === deployedKeys(resources) || each.type === "ollama-stack:index:Gateway",
  );
  await updateOnly(targets, stack, env, rules);
}

/**
 * Updates only the keys of a stack in a cluster: the Secret, and the command that makes the gateways read it. They are active
 * when this returns. Returns whether the stack has a gateway.
 */
export async function updateKeysInCluster(
  { stack, stackOption, env }: SelectedStack,
  { resources }: Deployment,
): Promise<boolean> {
  const targets = resources.filter(
    ({ type, name }) =>
      (type === "kubernetes:core/v1:Secret" && name === "gateway-keys") ||
      (type === "command:local:Command" && name === "gateway-keys-in-force"),
  );
  if (targets.length < 2) return false;
  // Skips unrelated checks, so that problems with nodes or model registries do not delay revoking a key.
  try {
    await updateOnly(targets, stack, { ...env, OLLAMA_STACK_KEYS_ONLY: "true" }, []);
  } catch (error) {
    console.error(
      `The config of ${stack} has the change, but its gateways may not have it, for the reason below. ` +
        `Once that is fixed, apply it with npm run up${stackOption}, or with the next change of keys.`,
    );
    throw error;
  }
  return true;
}

async function updateOnly(
  targets: readonly Deployed[],
  stack: string,
  env: NodeJS.ProcessEnv,
  rules: readonly string[],
): Promise<void> {
  await pulumi(
    [
      ...["up", "--yes", "--skip-preview", "--suppress-outputs", "--stack", stack, ...rules],
      ...targets.flatMap(({ urn }) => ["--target", urn]),
    ],
    { env, output: "read" },
  );
}
