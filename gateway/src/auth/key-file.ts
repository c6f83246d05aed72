import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { type KeyDefinition, KeyError, parseKeys } from "./api-keys.ts";

/** A file of API keys, one a line, as it was read at the start. */
export interface KeyFile {
  readonly path: string;
  readonly text: string;
  readonly keys: readonly KeyDefinition[];
}

/** What a file of keys has come to be: other keys, or a problem that leaves the ones before in force. */
export type KeyFileChange = { readonly keys: readonly KeyDefinition[] } | { readonly problem: string };

// Looked at again and again: notifications do not reach a container for a file of its host on every engine, nor for a
// file that was put in the place of the one that is watched.
const LOOK_EVERY_MS = 500;

/** @throws Error that says why it cannot be read, or what is wrong in which line */
export function readKeyFile(path: string): KeyFile {
  const text = readFileSync(path, "utf8");
  return { path, text, keys: keysIn(text) };
}

/** Tells of every change of the file, once. Returns what stops it. */
export function followKeyFile(
  { path, text: known }: KeyFile,
  onChange: (change: KeyFileChange) => void,
): () => void {
  let told = known;
  let seen = known;
  const timer = setInterval(() => {
    void readFile(path, "utf8").then(
      (text) => {
        look(text, () => changeOf(text));
      },
      (error: unknown) => {
        look(String(error), () => ({ problem: messageOf(error) }));
      },
    );
  }, LOOK_EVERY_MS).unref();
  return () => {
    clearInterval(timer);
  };

  function look(found: string, change: () => KeyFileChange): void {
    // Somebody may be in the middle of writing it: what counts has been the same twice.
    const settled = found === seen;
    seen = found;
    if (!settled || found === told) return;
    told = found;
    onChange(change());
  }
}

function changeOf(text: string): KeyFileChange {
  try {
    return { keys: keysIn(text) };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

/** Whoever names a file wants keys to be asked for: an empty one must not open the gateway. */
function keysIn(text: string): readonly KeyDefinition[] {
  const keys = parseKeys(text);
  if (keys.length === 0) throw new KeyError("there is no key in it");
  return keys;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
