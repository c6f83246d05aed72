import { SetupError } from "../../host/exec.ts";
import { formatTable } from "../../host/format-table.ts";
import {
  type KeyDefinition,
  keyId,
  keyLabel,
  keyLines,
  newKey,
  parseKeys,
  rejectionReason,
} from "../../gateway/src/auth/api-keys.ts";

// Edits the lines of API keys in a stack's config. Comments stay where they are.

/** The start of the commands in messages, with the stack's option. */
const defaultCommand = "npm run keys --";

/** The lines after a change, and its description. */
export interface ChangedLines {
  readonly lines: readonly string[];
  /** One line for each change. */
  readonly done: readonly string[];
}

export interface LinesWithNewKey extends ChangedLines {
  readonly key: string;
}

/** Splits entries into lines with one key or comment each, because a config entry may contain several. */
export function linesOf(entries: readonly string[]): string[] {
  return entries.flatMap((entry) => entry.split(/[\n;]/).map((line) => line.trim())).filter(Boolean);
}

const actions = ["add", "rotate", "revoke"] as const;
type KeyAction = (typeof actions)[number];

/** Whether a word names a change of keys. */
export function isKeyAction(word: string | undefined): word is KeyAction {
  return actions.some((action) => action === word);
}

interface KeyChange {
  readonly name: string;
  /** Further operands: fields to add, or the id to revoke. */
  readonly more: readonly string[];
  /** How long a rotated key stays valid, in ms. */
  readonly grace: number;
  readonly keysCommand: string;
}

/** Changes the keys of a name. @throws SetupError if that is not possible */
export function changeLines(
  action: KeyAction,
  lines: readonly string[],
  { name, more, grace, keysCommand }: KeyChange,
): ChangedLines | LinesWithNewKey {
  if (action === "add") return addKey(lines, name, more, keysCommand);
  const [id, ...unknown] = more;
  if (unknown.length > 0 || (action === "rotate" && id !== undefined))
    throw new SetupError(`npm run keys -- ${action} does not take ${more.join(" ")}`);
  return action === "rotate"
    ? rotateKey(lines, name, grace, Date.now(), keysCommand)
    : revokeKey(lines, name, id, keysCommand);
}

const HOUR = 3_600_000;
const units = { m: 60_000, h: HOUR, d: 24 * HOUR } as const;

/** Parses "30m", "24h", "7d" or "0" to milliseconds. */
export function parseGracePeriod(text: string): number {
  const [, count = "", unit = ""] = /^(\d{1,4})([mhd])$/.exec(text) ?? [];
  if (text !== "0" && unit === "")
    throw new SetupError(`--grace is ${text}, but must be a time such as 30m, 24h or 7d, or 0`);
  return text === "0" ? 0 : Number(count) * units[unit as keyof typeof units];
}

/** @param keysCommand `npm run keys` for the same stack, for messages */
export function addKey(
  lines: readonly string[],
  name: string,
  fields: readonly string[],
  keysCommand = defaultCommand,
): LinesWithNewKey {
  if (keysOf(lines, name).length > 0)
    throw new SetupError(
      `The key '${name}' already exists. Choose another name, or replace it: ${keysCommand} rotate ${name}`,
    );
  const { key, line } = newKey(name, fields);
  return checked({ key, lines: [...lines, line], done: [`added ${labelOf(line)}`] });
}

/** Adds a second key with the same name, and lets the first one expire. @param graceMs how long the first one stays valid */
export function rotateKey(
  lines: readonly string[],
  name: string,
  graceMs: number,
  now = Date.now(),
  keysCommand = defaultCommand,
): LinesWithNewKey {
  const keys = existing(lines, name, keysCommand);
  const valid = keys.filter(({ definition }) => rejectionReason(definition, now) === undefined);
  if (valid.length > 1)
    throw new SetupError(
      `The key '${name}' is being rotated already. Revoke the one that is replaced: ${keysCommand} revoke ${name} ${keyId((valid[0] ?? fail()).definition)}`,
    );
  const [old = keys[0] ?? fail()] = valid;
  const fields = fieldsOf(old.line).filter((field) => !/^(sha256=|expires=|disabled$)/.test(field));
  const { key, line } = newKey(name, fields);
  const until = Math.min(now + graceMs, old.definition.expiresAt ?? Infinity);
  const kept = valid.length > 0 && until > now;
  const end = new Date(until).toISOString().replace(/\.\d+Z$/, "Z");
  const rest = lines.flatMap((each) => {
    if (each === old.line) return [kept ? withExpiry(each, end) : line];
    return keys.some((other) => other.line === each) ? [] : [each];
  });
  if (kept) rest.push(line);
  const before = kept
    ? `${labelOf(old.line)} is accepted until ${end}`
    : `removed ${keys.map((each) => labelOf(each.line)).join(", ")}`;
  return checked({ key, lines: rest, done: [`added ${labelOf(line)}`, before] });
}

/** Removes a name's keys, or the one with an id. The last key is disabled instead, because access is open without keys. */
export function revokeKey(
  lines: readonly string[],
  name: string,
  id?: string,
  keysCommand = defaultCommand,
): ChangedLines {
  const revoked = existing(lines, name, keysCommand).filter(
    ({ definition }) => id === undefined || keyId(definition) === id,
  );
  const [first] = revoked;
  if (first === undefined)
    throw new SetupError(`No key '${name}' has the id ${id ?? ""}. ${keysCommand} list shows them.`);
  const rest = lines.filter((line) => !revoked.some((key) => key.line === line));
  const labels = revoked.map(({ line }) => labelOf(line)).join(", ");
  if (keysOf(rest).length > 0) return checked({ lines: rest, done: [`revoked ${labels}`] });
  const disabled = lines.map((line) =>
    revoked.some((key) => key.line === line) && !fieldsOf(line).includes("disabled")
      ? `${line} disabled`
      : line,
  );
  return checked({
    lines: disabled,
    done: [
      `disabled ${labels}: a gateway without keys would be open to everyone, so the last one stays in the list`,
    ],
  });
}

/** Formats the keys as a table of names, ids, states and fields, without anything that helps to guess one. */
export function keyTable(lines: readonly string[], now = Date.now()): string {
  const rows = keysOf(lines).map(({ line, definition }) => [
    definition.name,
    keyId(definition),
    stateOf(definition, now),
    fieldsOf(line)
      .filter((field) => !/^(sha256=|expires=|disabled$)/.test(field))
      .join(" "),
  ]);
  return formatTable([["NAME", "ID", "STATE", "FIELDS"], ...rows]);
}

function stateOf(key: KeyDefinition, now: number): string {
  const until =
    key.expiresAt === undefined ? "" : new Date(key.expiresAt).toISOString().replace(/\.\d+Z$/, "Z");
  const refusal = rejectionReason(key, now);
  if (refusal === "api_key_disabled") return "disabled";
  if (refusal === "api_key_expired") return `expired ${until}`;
  return until === "" ? "valid" : `valid until ${until}`;
}

interface KeyOfLine {
  readonly line: string;
  readonly definition: KeyDefinition;
}

function keysOf(lines: readonly string[], name?: string): KeyOfLine[] {
  const definitions = parseKeys(lines.join("\n"));
  const withKeys = keyLines(lines.join("\n"));
  return definitions
    .map((definition, i) => ({ line: withKeys[i]?.line ?? "", definition }))
    .filter(({ definition }) => name === undefined || definition.name === name);
}

function existing(lines: readonly string[], name: string, keysCommand: string): KeyOfLine[] {
  const keys = keysOf(lines, name);
  if (keys.length > 0) return keys;
  const known = [...new Set(keysOf(lines).map(({ definition }) => definition.name))];
  throw new SetupError(
    `There is no key '${name}'. ${known.length === 0 ? "The stack has none" : `Existing keys: ${known.join(", ")}`}. Create one with: ${keysCommand} add NAME`,
  );
}

function fieldsOf(line: string): string[] {
  return line.split(/\s+/).slice(1);
}

function withExpiry(line: string, end: string): string {
  return `${line.replace(/\s+expires=\S+/, "")} expires=${end}`;
}

function labelOf(line: string): string {
  return parseKeys(line).map(keyLabel).join(", ");
}

/** @throws KeyError if the lines conflict */
function checked<T extends ChangedLines>(changed: T): T {
  parseKeys(changed.lines.join("\n"));
  return changed;
}

function fail(): never {
  throw new Error("there is no key");
}
