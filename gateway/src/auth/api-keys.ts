import { hash, randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { KEY_FIELDS, type KeyFields, readField } from "./key-fields.ts";

/** An API key as the configuration has it: never the key itself, only its digest. */
export interface KeyDefinition extends KeyFields {
  /** Two keys may share a name, as during a rotation: they share its limits, too. */
  readonly name: string;
  /** SHA-256 of the key. Keys are random, so that a slow hash would protect nothing more. */
  readonly digest: Buffer;
}

export const KEY_LINE = `NAME sha256=HEX ${KEY_FIELDS}; keys are separated by line breaks or semicolons`;

/** Names the line that is wrong by its number: its text may hold a key by mistake. */
export class KeyError extends Error {
  override readonly name = "KeyError";
}

// One that is being replaced, and its successor.
const KEYS_OF_ONE_NAME = 2;

/** Splits a text into lines that hold a key each; empty lines and comments, which begin with `#`, hold none. */
export function keyLines(text: string): { readonly line: string; readonly number: number }[] {
  return text
    .split(/[\n;]/)
    .map((line, index) => ({ line: line.trim(), number: index + 1 }))
    .filter(({ line }) => line !== "" && !line.startsWith("#"));
}

/** Reads keys, one a line. @throws KeyError */
export function parseKeys(text: string): KeyDefinition[] {
  const keys = keyLines(text).map(({ line, number }) => parseKey(line, number));
  checkTogether(keys);
  return keys;
}

/** The same where keys are required: a text without one must not open the gateway. @throws KeyError */
export function requireKeys(text: string): KeyDefinition[] {
  const keys = parseKeys(text);
  if (keys.length === 0) throw new KeyError("there is no key in it");
  return keys;
}

/** Checks what keys must have or not have in common. @throws KeyError */
export function checkTogether(keys: readonly KeyDefinition[]): void {
  for (const [index, key] of keys.entries()) {
    const before = keys.slice(0, index);
    const [other, ...more] = before.filter(({ name }) => name === key.name);
    if (before.some(({ digest }) => digest.equals(key.digest)))
      throw new KeyError(`the key '${key.name}' is there twice`);
    if (more.length + 2 > KEYS_OF_ONE_NAME && other !== undefined)
      throw new KeyError(`there are more than ${KEYS_OF_ONE_NAME} keys '${key.name}'`);
    if (other !== undefined && !isDeepStrictEqual(sharedFields(other), sharedFields(key)))
      throw new KeyError(
        `the two keys '${key.name}' differ in more than sha256, expires and disabled: they share their limits`,
      );
  }
}

/** What the keys of one name have in common. */
export function sharedFields(key: KeyDefinition): object {
  return { ...key, digest: undefined, expiresAt: undefined, disabled: undefined };
}

/** Why a key that is known is refused, if it is. */
export function refusalOf(
  { disabled, expiresAt = Infinity }: Pick<KeyDefinition, "disabled" | "expiresAt">,
  now = Date.now(),
): "api_key_disabled" | "api_key_expired" | undefined {
  if (disabled) return "api_key_disabled";
  return now >= expiresAt ? "api_key_expired" : undefined;
}

export function digestOf(key: string): Buffer {
  // Asked for a buffer, it takes three times as long, for every request.
  return Buffer.from(hash("sha256", key, "hex"), "hex");
}

/** What distinguishes two keys of one name in lists and logs: the beginning of the digest. */
export function keyId({ digest }: Pick<KeyDefinition, "digest">): string {
  return digest.toString("hex").slice(0, 8);
}

/** A key in lists and logs. */
export function keyLabel(key: Pick<KeyDefinition, "name" | "digest">): string {
  return `${key.name}:${keyId(key)}`;
}

/** Makes a key that nobody can guess, or takes the one given, and the line that lets the gateway know it. */
export function newKey(
  name: string,
  fields: readonly string[],
  key = `sk-${randomBytes(32).toString("base64url")}`,
): { key: string; line: string } {
  const line = [name, `sha256=${digestOf(key).toString("hex")}`, ...fields].join(" ");
  requireKeys(line);
  return { key, line };
}

function parseKey(line: string, number: number): KeyDefinition {
  const wrong = (what: string): KeyError => new KeyError(`key ${number}: ${what}`);
  const [name = "", ...words] = line.split(/\s+/);
  if (!/^[\w.-]{1,64}$/.test(name)) throw wrong("its name must be letters, digits, '.', '_' or '-'");
  let digest: Buffer | undefined;
  const fields: Partial<KeyFields>[] = [];
  for (const word of words) {
    const [, field = "", value] = /^(\w+)(?:=(.*))?$/.exec(word) ?? [];
    if (field === "sha256") {
      if (!/^[0-9a-f]{64}$/i.test(value ?? "")) throw wrong("its sha256 must be 64 hexadecimal digits");
      digest = Buffer.from(value ?? "", "hex");
      continue;
    }
    const read = readField(field, value);
    if ("wrong" in read) throw wrong(read.wrong);
    fields.push(read.fields);
  }
  if (digest === undefined) throw wrong("it has no sha256");
  const unset = { admin: false, disabled: false, options: false };
  return { ...fields.reduce<KeyFields>((all, each) => ({ ...all, ...each }), unset), name, digest };
}
