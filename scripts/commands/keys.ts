// npm run keys: lists, adds, rotates and revokes the API keys of a stack, in its config and in its running gateways.
import { createHash } from "node:crypto";
import { join } from "node:path";
import { cacheRoot } from "../../host/cache-dir.mjs";
import { withLock } from "../../host/file-lock.mjs";
import { command } from "../cli/command.ts";
import { UsageError } from "../cli/command-line.mjs";
import { openSession, type Session } from "../cli/session.ts";
import { commandWith } from "../cli/stack-option.ts";
import {
  type ChangedLines,
  changeLines,
  isKeyAction,
  keyTable,
  linesOf,
  type LinesWithNewKey,
  parseGracePeriod,
} from "../keys/key-lines.ts";
import {
  applyKeys,
  readExistingKeyEntries,
  readKeyEntries,
  recordKeys,
  updateKeysInCluster,
  writeKeyEntries,
} from "../keys/stack-keys.ts";
import { deployedKeys, type Deployment } from "../stack/deployment.ts";
import { rulesFor, settingsFor } from "../stack/settings.ts";
import { isOnCluster, isSalted, stackFile } from "../stack/stack-file.ts";
import { openStack } from "../update/recovery.ts";

await command("keys", async ({ options, operands }) => {
  const [action, name, ...more] = operands;
  if (action !== "list" && !isKeyAction(action))
    throw new UsageError(
      `npm run keys needs one of list, add, rotate and revoke${action === undefined ? "" : `, but got ${action}`}. See npm run keys -- --help`,
    );
  if (action === "list" && name !== undefined)
    throw new UsageError(`npm run keys -- list does not take ${name}`);
  if (action !== "list" && name === undefined)
    throw new UsageError(`npm run keys -- ${action} needs the name of a key`);
  const grace = parseGracePeriod(options.grace ?? "24h");
  const session = await openSession(options);
  const keysCommand = commandWith("keys", session.stackOption);
  if (action === "list" || name === undefined) await listKeys(session);
  else
    await oneAtATime(session, () =>
      changeKeys(session, (lines) => changeLines(action, lines, { name, more, grace, keysCommand })),
    );
});

async function listKeys({ stack, env }: Session): Promise<void> {
  const lines = linesOf(await readExistingKeyEntries(stack, env));
  console.log(
    lines.length === 0
      ? `The stack ${stack} has no keys: anyone who can reach it has access.`
      : keyTable(lines),
  );
}

/** Opens a stack and reads the keys in its config. */
async function openKeys({
  stack,
  env,
}: Session): Promise<{ readonly deployment: Deployment; readonly entries: string[] }> {
  // For a new stack, the CLI writes a salt into the file, which must not happen concurrently.
  const early = isSalted(stack) ? readKeyEntries(stack, env).catch(() => undefined) : undefined;
  const deployment = await openStack(stack, env, []);
  return { deployment, entries: (await early) ?? (await readKeyEntries(stack, env)) };
}

/** Serializes changes, because one of two concurrent changes would overwrite the other. */
function oneAtATime({ stack, stackOption }: Session, work: () => Promise<void>): Promise<void> {
  const file = createHash("sha256").update(stackFile(stack)).digest("hex").slice(0, 12);
  const waiting = ({ pid }: { pid: number }): void => {
    console.error(`waiting for process ${String(pid)}, which is changing the keys of ${stack}`);
  };
  const interrupted =
    "interrupted: a change that is already in the config stays there. " +
    `See it with ${commandWith("keys", stackOption)} list, and let the gateways apply it with npm run up${stackOption}`;
  return withLock(join(cacheRoot(), `keys-${file}.lock`), waiting, work, interrupted);
}

async function changeKeys(
  session: Session,
  change: (lines: readonly string[]) => ChangedLines | LinesWithNewKey,
): Promise<void> {
  const { stack, stackOption, env } = session;
  const { deployment, entries } = await openKeys(session);
  const changed = change(linesOf(entries));
  await writeKeyEntries(stack, env, entries, changed.lines);
  for (const line of changed.done) console.log(line);
  if ("key" in changed) console.log(`\nThe key, which is stored nowhere:\n\n  ${changed.key}\n`);
  if (isOnCluster(stack)) {
    const isDeployed = await updateKeysInCluster(session, deployment);
    console.log(
      isDeployed
        ? `The gateways of ${stack} have applied it.`
        : `It takes effect with npm run up${stackOption}.`,
    );
    return;
  }
  const deployed = deployedKeys(deployment.resources);
  if (deployed === undefined) {
    console.log(
      `It takes effect with npm run up${stackOption}: adding the first key replaces the gateway's container.`,
    );
    return;
  }
  await applyKeys(deployed, session, changed.lines);
  console.log(`The gateways of ${stack} have applied it.`);
  try {
    await recordKeys(stack, env, deployment, rulesFor(settingsFor(stack, [])));
  } catch (error) {
    console.error(
      `It is active, but not yet recorded in the state of ${stack}. Record it with: npm run up${stackOption}`,
    );
    throw error;
  }
}
