import { hash, randomBytes } from "node:crypto";
import { canonicalModelName } from "../ollama/model-name.ts";

/** An API key as the configuration has it: never the key itself, only its digest. */
export interface KeyDefinition {
  readonly name: string;
  /** SHA-256 of the key. Keys are random, so that a slow hash would protect nothing more. */
  readonly digest: Buffer;
  readonly requestsPerMinute?: number;
  readonly tokensPerMinute?: number;
  /** Requests that may be served or wait at once. */
  readonly concurrent?: number;
  /** Models in their one spelling; undefined means all. */
  readonly models?: ReadonlySet<string>;
  /** May use the routes that change the server. */
  readonly admin: boolean;
}

export const KEY_LINE =
  "NAME sha256=HEX [requests=N] [tokens=N] [concurrent=N] [models=A,B] [admin], limits per minute; " +
  "keys are separated by line breaks or semicolons";

/** Names the line that is wrong by its number: its text may hold a key by mistake. */
export class KeyError extends Error {
  override readonly name = "KeyError";
}

/** Reads keys, one a line; empty lines and those that begin with `#` do not count. @throws KeyError */
export function parseKeys(text: string): KeyDefinition[] {
  const keys = text
    .split(/[\n;]/)
    .flatMap((line, index) => (/^\s*(#|$)/.test(line) ? [] : [parseKey(line.trim(), index + 1)]));
  const twice = keys.find((key, index) =>
    keys.some((other, at) => at < index && (other.name === key.name || other.digest.equals(key.digest))),
  );
  if (twice !== undefined) throw new KeyError(`the key '${twice.name}' is there twice`);
  return keys;
}

export function digestOf(key: string): Buffer {
  return hash("sha256", key, "buffer");
}

/** Makes a key that nobody can guess, and the line that lets the gateway know it. */
export function newKey(name: string, fields: readonly string[]): { key: string; line: string } {
  const key = `sk-${randomBytes(32).toString("base64url")}`;
  const line = [name, `sha256=${digestOf(key).toString("hex")}`, ...fields].join(" ");
  parseKeys(line);
  return { key, line };
}

type Fields = { -readonly [Field in keyof KeyDefinition]?: KeyDefinition[Field] };

const numbers = {
  requests: "requestsPerMinute",
  tokens: "tokensPerMinute",
  concurrent: "concurrent",
} as const satisfies Record<string, keyof KeyDefinition>;

function parseKey(line: string, number: number): KeyDefinition {
  const wrong = (what: string): KeyError => new KeyError(`key ${number}: ${what}`);
  const [name = "", ...fields] = line.split(/\s+/);
  if (!/^[\w.-]{1,64}$/.test(name)) throw wrong("its name must be letters, digits, '.', '_' or '-'");
  const key: Fields = { name, admin: false };
  for (const field of fields) {
    const [, what = "", value = ""] = /^(\w+)(?:=(.+))?$/.exec(field) ?? [];
    if (what === "admin" && value === "") key.admin = true;
    else if (what === "sha256" && /^[0-9a-f]{64}$/i.test(value)) key.digest = Buffer.from(value, "hex");
    else if (what === "models" && value !== "")
      key.models = new Set(value.split(",").map(canonicalModelName));
    else if (what in numbers && /^[1-9]\d{0,11}$/.test(value)) {
      key[numbers[what as keyof typeof numbers]] = Number(value);
    } else throw wrong("it has a field that is unknown or has no value that is allowed");
  }
  if (key.digest === undefined) throw wrong("it has no sha256");
  return { ...key, name, digest: key.digest, admin: key.admin === true };
}
