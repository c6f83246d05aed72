import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { type KeyDefinition, requireKeys } from "./api-keys.ts";

/** A file of API keys, one a line, as it was read at the start. */
export interface KeyFile {
  readonly path: string;
  readonly text: string;
  readonly keys: readonly KeyDefinition[];
}

/** Is notified of changed keys, or of a problem that leaves the former ones in force. */
export interface KeyFileObserver {
  /** @throws Error when the keys cannot be taken: those before stay in force */
  changed(keys: readonly KeyDefinition[]): void;
  failed(problem: string): void;
}

// Polled: notifications do not reach a container for a file of its host on every engine, nor for a file that was put
// in the place of the one that is watched.
const POLL_MS = 500;

/** @throws Error that says why it cannot be read, or what is wrong in which line */
export function readKeyFile(path: string): KeyFile {
  const text = readFileSync(path, "utf8");
  return { path, text, keys: requireKeys(text) };
}

/** Follows a file of keys. Each change, and each problem, is reported once. */
export class KeyFileFollower {
  readonly #path: string;
  readonly #observer: KeyFileObserver;
  readonly #timer: NodeJS.Timeout;
  /** Why the file's keys are not those in force. */
  problem: string | undefined;
  /** What was reported last: a text, or an error. */
  #reported: string;
  /** What the last poll found. */
  #seen: string;

  constructor({ path, text }: KeyFile, observer: KeyFileObserver) {
    this.#path = path;
    this.#observer = observer;
    this.#reported = text;
    this.#seen = text;
    this.#timer = setInterval(() => void this.#poll(), POLL_MS).unref();
  }

  /** Reads the file at once, for whoever has just written it. @throws Error as `readKeyFile` */
  async reload(): Promise<void> {
    const text = await readFile(this.#path, "utf8");
    const keys = requireKeys(text);
    this.#seen = text;
    if (text === this.#reported) return;
    this.#observer.changed(keys);
    this.#reported = text;
    this.problem = undefined;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #poll(): Promise<void> {
    let found: string;
    let text: string | undefined;
    try {
      found = text = await readFile(this.#path, "utf8");
    } catch (error) {
      found = messageOf(error);
    }
    // Somebody may be in the middle of writing it: only what two polls found alike counts.
    const settled = found === this.#seen;
    this.#seen = found;
    if (!settled || found === this.#reported) return;
    this.#reported = found;
    try {
      if (text === undefined) throw new Error(found);
      this.#observer.changed(requireKeys(text));
      this.problem = undefined;
    } catch (error) {
      this.problem = messageOf(error);
      this.#observer.failed(this.problem);
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
