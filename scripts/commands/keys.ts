// npm run keys: lists, adds, rotates and revokes the API keys of a stack, in its config and in its running gateways.
import { createHash } from "node:crypto";
import { join } from "node:path";
import { KEY_FIELDS } from "../../gateway/src/auth/key-fields.ts";
import { cacheRoot } from "../../host/cache-dir.mjs";
import { withLock } from "../../host/file-lock.mjs";
import { main } from "../cli/main.ts";
import { openSession, type Session, takeOptions } from "../cli/session.ts";
import {
  addKey,
  type ChangedLines,
  keyTable,
  linesOf,
  type LinesWithNewKey,
  revokeKey,
  rotateKey,
} from "../keys/key-lines.ts";
import { applyKeys, readKeyEntries, recordKeys, writeKeyEntries } from "../keys/stack-keys.ts";
import { deployedKeys } from "../stack/deployed-keys.ts";
import { rulesFor, settingsFor } from "../stack/settings.ts";
import { stackFile } from "../stack/stack-file.ts";
import { openStack } from "../update/recovery.ts";

const usage = `usage: npm run keys -- list                            shows names, ids, states and limits
       npm run keys -- add NAME [FIELD...]             makes a key and prints it once
       npm run keys -- rotate NAME [--grace 24h]       makes its successor; the old one expires after the grace
       npm run keys -- revoke NAME [ID]                revokes all keys of a name at once, or one of two
Each takes --stack NAME. The gateways of a running stack apply it within 2 s, without a restart.
Fields: ${KEY_FIELDS} (docs/keys.md).`;

const HOUR = 3_600_000;
const units = { m: 60_000, h: HOUR, d: 24 * HOUR } as const;

const [action, ...args] = process.argv.slice(2);
if (process.argv.includes("--help") || action === "help") console.log(usage);
else if (action === undefined || !["list", "add", "rotate", "revoke"].includes(action)) {
  console.error(usage);
  process.exitCode = 2;
} else await main(() => run(action, args));

async function run(action: string, args: readonly string[]): Promise<void> {
  const { options, rest: own } = takeOptions(args, ["grace"]);
  const session = await openSession(own, { config: true });
  const { stack, env, rest } = session;
  if (action === "list") {
    await openStack(stack, env);
    const lines = linesOf(await readKeyEntries(stack, env));
    console.log(
      lines.length === 0
        ? `The stack ${stack} has no keys: everybody who reaches it is let in.`
        : keyTable(lines),
    );
    return;
  }
  const [name, ...more] = rest;
  if (name === undefined) throw new Error(`npm run keys -- ${action} needs the name of a key`);
  const grace = graceMs(options["grace"]);
  await oneAtATime(stack, () => changeKeys(session, (lines) => change(action, lines, name, more, grace)));
}

/** Of two changes at the same time, the later one to be written would undo the other. */
function oneAtATime(stack: string, work: () => Promise<void>): Promise<void> {
  const file = createHash("sha256").update(stackFile(stack)).digest("hex").slice(0, 12);
  const waiting = ({ pid }: { pid: number }): void => {
    console.error(`waiting for process ${String(pid)}, which is changing keys of ${stack}`);
  };
  return withLock(join(cacheRoot(), `keys-${file}.lock`), waiting, work);
}

async function changeKeys(
  { stack, stackOption, env }: Session,
  changeLines: (lines: readonly string[]) => ChangedLines | LinesWithNewKey,
): Promise<void> {
  const deployment = await openStack(stack, env);
  const entries = await readKeyEntries(stack, env);
  const changed = changeLines(linesOf(entries));
  await writeKeyEntries(stack, env, entries, changed.lines);
  for (const line of changed.done) console.log(line);
  if ("key" in changed) console.log(`\nThe key, which is stored nowhere:\n\n  ${changed.key}\n`);
  const deployed = deployedKeys(deployment.resources);
  if (deployed === undefined) {
    console.log(
      `It takes effect with npm run up${stackOption}: the gateway has no keys yet, and its first key replaces the container.`,
    );
    return;
  }
  await applyKeys(deployed, env, changed.lines);
  console.log(`The gateways of ${stack} have applied it.`);
  try {
    await recordKeys(stack, env, deployment, rulesFor(settingsFor(stack, [])));
  } catch (error) {
    console.error(
      `It is in force, but not yet recorded in the state of ${stack}. npm run up${stackOption} records it.`,
    );
    throw error;
  }
}

function change(
  action: string,
  lines: readonly string[],
  name: string,
  more: readonly string[],
  grace: number,
): ChangedLines | LinesWithNewKey {
  if (action === "add") return addKey(lines, name, more);
  const [id, ...unknown] = more;
  if (unknown.length > 0 || (action === "rotate" && id !== undefined))
    throw new Error(`npm run keys -- ${action} does not take ${more.join(" ")}`);
  return action === "rotate" ? rotateKey(lines, name, grace) : revokeKey(lines, name, id);
}

function graceMs(text = "24h"): number {
  const [, count = "", unit = ""] = /^(\d{1,4})([mhd])$|^0$/.exec(text) ?? [];
  if (text !== "0" && unit === "")
    throw new Error(`--grace is ${text}, but must be a time such as 30m, 24h or 7d, or 0`);
  return text === "0" ? 0 : Number(count) * units[unit as keyof typeof units];
}
