import { hash, randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { KEY_FIELDS, type KeyFields, readField } from "./key-fields.ts";

/** An API key as configured. Holds only a digest of the key. */
export interface KeyDefinition extends KeyFields {
  /** Two keys may share a name during a rotation; they also share its limits. */
  readonly name: string;
  /** SHA-256 of the key. Keys are random, so a slow hash would add no protection. */
  readonly digest: Buffer;
}

export const KEY_LINE = `NAME sha256=HEX ${KEY_FIELDS}; keys are separated by line breaks or semicolons`;

/** Identifies the invalid line by number: its text may contain a key by mistake. */
export class KeyError extends Error {
  override readonly name = "KeyError";
}

// A key and its successor during a rotation.
const MAX_KEYS_PER_NAME = 2;

/** Splits a text into lines with one key each, without empty lines and `#` comments. */
export function keyLines(text: string): { readonly line: string; readonly number: number }[] {
  return text
    .split(/[\n;]/)
    .map((line, index) => ({ line: line.trim(), number: index + 1 }))
    .filter(({ line }) => line !== "" && !line.startsWith("#"));
}

/**
 * Parses keys, one per line.
 *
 * @throws KeyError
 */
export function parseKeys(text: string): KeyDefinition[] {
  const keys = keyLines(text).map(({ line, number }) => parseKey(line, number));
  checkConsistency(keys);
  return keys;
}

/**
 * Like `parseKeys`, but requires at least one key: an empty file must not open the gateway to everyone.
 *
 * @throws KeyError
 */
export function requireKeys(text: string): KeyDefinition[] {
  const keys = parseKeys(text);
  if (keys.length === 0) throw new KeyError("it contains no keys");
  return keys;
}

/**
 * Checks that keys are distinct, and that keys of one name agree on their limits.
 *
 * @throws KeyError
 */
export function checkConsistency(keys: readonly KeyDefinition[]): void {
  for (const [index, key] of keys.entries()) {
    const earlier = keys.slice(0, index);
    const [other, ...more] = earlier.filter(({ name }) => name === key.name);
    if (earlier.some(({ digest }) => digest.equals(key.digest)))
      throw new KeyError(`the key '${key.name}' is listed twice`);
    if (more.length + 2 > MAX_KEYS_PER_NAME && other !== undefined)
      throw new KeyError(`there are more than ${MAX_KEYS_PER_NAME} keys '${key.name}'`);
    if (other !== undefined && !isDeepStrictEqual(sharedFields(other), sharedFields(key)))
      throw new KeyError(
        `the two keys '${key.name}' share their limits and may only differ in sha256, expires and disabled`,
      );
  }
}

/** The fields that keys of one name must agree on. */
export function sharedFields(key: KeyDefinition): object {
  return { ...key, digest: undefined, expiresAt: undefined, disabled: undefined };
}

/** Why a known key is rejected; undefined if it is valid. */
export function rejectionReason(
  { disabled, expiresAt = Infinity }: Pick<KeyDefinition, "disabled" | "expiresAt">,
  now = Date.now(),
): "api_key_disabled" | "api_key_expired" | undefined {
  if (disabled) return "api_key_disabled";
  return now >= expiresAt ? "api_key_expired" : undefined;
}

export function digestOf(key: string): Buffer {
  // Three times as fast as having `hash` return a buffer.
  return Buffer.from(hash("sha256", key, "hex"), "hex");
}

/** Distinguishes keys of one name in lists and logs: the first 8 digits of the digest. */
export function keyId({ digest }: Pick<KeyDefinition, "digest">): string {
  return digest.toString("hex").slice(0, 8);
}

/** Formats a key for lists and logs. */
export function keyLabel(key: Pick<KeyDefinition, "name" | "digest">): string {
  return `${key.name}:${keyId(key)}`;
}

/**
 * Creates a random key, or uses the given one, and the line that registers it with the gateway.
 *
 * @throws KeyError for invalid fields
 */
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
  const invalid = (what: string): KeyError => new KeyError(`key ${number}: ${what}`);
  const [name = "", ...parts] = line.split(/\s+/);
  if (!/^[\w.-]{1,64}$/.test(name)) throw invalid("its name must be letters, digits, '.', '_' or '-'");
  let digest: Buffer | undefined;
  const fields: Partial<KeyFields>[] = [];
  for (const word of parts) {
    const [, field = "", value] = /^(\w+)(?:=(.*))?$/.exec(word) ?? [];
    if (field === "sha256") {
      if (!/^[0-9a-f]{64}$/i.test(value ?? "")) throw invalid("its sha256 must be 64 hexadecimal digits");
      digest = Buffer.from(value ?? "", "hex");
      continue;
    }
    const read = readField(field, value);
    if ("error" in read) throw invalid(read.error);
    fields.push(read.fields);
  }
  if (digest === undefined) throw invalid("it has no sha256");
  const unset = { admin: false, disabled: false, options: false };
  return { ...fields.reduce<KeyFields>((all, each) => ({ ...all, ...each }), unset), name, digest };
}
