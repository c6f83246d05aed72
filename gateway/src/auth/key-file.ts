import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { type KeyDefinition, requireKeys } from "./api-keys.ts";

/** A file of API keys, one per line, as read at startup. */
export interface KeyFile {
  readonly path: string;
  readonly text: string;
  readonly keys: readonly KeyDefinition[];
}

/** Receives changed keys, and problems that leave the previous keys in effect. */
interface KeyFileObserver {
  /** @throws Error to reject the keys; the previous ones stay in effect */
  changed(keys: readonly KeyDefinition[]): void;
  failed(problem: string): void;
}

// Polls, as file notifications do not reach containers on every engine, nor survive a replacement of the file.
const POLL_MS = 500;

/** @throws Error if the file cannot be read or has an invalid line */
export function readKeyFile(path: string): KeyFile {
  const text = readFileSync(path, "utf8");
  return { path, text, keys: requireKeys(text) };
}

/** Watches a key file. Each change and each problem is reported once. */
export class KeyFileWatcher {
  readonly #path: string;
  readonly #observer: KeyFileObserver;
  readonly #timer: NodeJS.Timeout;
  /** Why the keys in effect are not those in the file. */
  problem: string | undefined;
  /** The last reported text or error. */
  #reported: string;
  /** Result of the last poll. */
  #lastRead: string;

  constructor({ path, text }: KeyFile, observer: KeyFileObserver) {
    this.#path = path;
    this.#observer = observer;
    this.#reported = text;
    this.#lastRead = text;
    this.#timer = setInterval(() => void this.#poll(), POLL_MS).unref();
  }

  /**
   * Reads the file immediately, for a caller that has just written it.
   *
   * @throws Error like `readKeyFile`
   */
  async reload(): Promise<void> {
    const text = await readFile(this.#path, "utf8");
    const keys = requireKeys(text);
    this.#lastRead = text;
    if (text === this.#reported && this.problem === undefined) return;
    this.#observer.changed(keys);
    this.#reported = text;
    this.problem = undefined;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #poll(): Promise<void> {
    let current: string;
    let text: string | undefined;
    try {
      current = text = await readFile(this.#path, "utf8");
    } catch (error) {
      current = messageOf(error);
    }
    // The file may be half written: only act on a text that two polls have seen.
    const isStable = current === this.#lastRead;
    this.#lastRead = current;
    if (!isStable || current === this.#reported) return;
    this.#reported = current;
    try {
      if (text === undefined) throw new Error(current);
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
