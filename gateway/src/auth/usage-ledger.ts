import { readFileSync, statSync } from "node:fs";
import { replaceFile } from "../lib/replace-file.ts";
import { KeyUsage } from "./key-usage.ts";

// Maximum age of usage lost if the gateway is killed.
const WRITE_DELAY_MS = 1000;

interface Logger {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

// A file of 1,000 keys has 200 KB; reject files that cannot be ours.
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** Usage of every key by name, in memory and optionally in a file that is read at startup. */
export class UsageLedger {
  readonly #usages = new Map<string, KeyUsage>();
  readonly #path: string;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #failed = false;

  /** @param path of the file; empty to keep usage in memory only */
  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
    if (path !== "") this.#read();
  }

  /** Whether usage is kept in a file. */
  get isPersistent(): boolean {
    return this.#path !== "";
  }

  /** Whether the last write failed. */
  get hasFailed(): boolean {
    return this.#failed;
  }

  of(name: string): KeyUsage {
    let usage = this.#usages.get(name);
    if (usage === undefined) {
      usage = new KeyUsage();
      this.#usages.set(name, usage);
    }
    return usage;
  }

  /** Schedules a write of the file within a second. */
  readonly scheduleWrite = (): void => {
    if (this.#path === "" || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#write();
    }, WRITE_DELAY_MS).unref();
  };

  /** Writes pending changes. */
  async close(): Promise<void> {
    if (this.#timer !== undefined) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#write();
    }
    await this.#writing;
  }

  #read(): void {
    const path = this.#path;
    let text: string;
    try {
      const { size } = statSync(path);
      if (size > MAX_FILE_BYTES) throw new Error(`it is longer than ${MAX_FILE_BYTES} bytes`);
      text = readFileSync(path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      this.#logger.warn(
        { path, error: String(error) },
        "cannot read the usage of API keys, starting at zero",
      );
      return;
    }
    try {
      const { keys } = JSON.parse(text) as { keys?: unknown };
      if (typeof keys !== "object" || keys === null) throw new Error("it has no keys");
      for (const [name, saved] of Object.entries(keys)) this.of(name).restore(saved);
    } catch (error) {
      this.#logger.warn({ path, error: String(error) }, "the usage of API keys is corrupt, starting at zero");
    }
  }

  #write(): void {
    this.#writing = this.#writing.then(() => this.#replaceFile());
  }

  async #replaceFile(): Promise<void> {
    const path = this.#path;
    const entries = [...this.#usages].filter(([, usage]) => !usage.isEmpty);
    try {
      await replaceFile(path, `${JSON.stringify({ keys: Object.fromEntries(entries) })}\n`);
      this.#failed = false;
    } catch (error) {
      if (!this.#failed) {
        this.#logger.error({ path, error: String(error) }, "cannot write the usage of API keys");
      }
      this.#failed = true;
    }
  }
}
