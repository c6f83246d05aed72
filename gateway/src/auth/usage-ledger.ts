import { readFileSync, statSync } from "node:fs";
import { replaceFile } from "../lib/replace-file.ts";
import { KeyUsage } from "./key-usage.ts";

// What a gateway that is killed forgets at most.
const WRITE_DELAY_MS = 1000;

interface Logger {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

// A file of a thousand keys has 200 KB; what is larger is not one of the gateway's.
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** What every key has used, by its name: in memory, and in a file that a restart reads again where one is given. */
export class UsageLedger {
  readonly #usages = new Map<string, KeyUsage>();
  readonly #path: string;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #failed = false;

  /** @param path of the file; empty: usage is kept in memory only */
  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
    if (path !== "") this.#read();
  }

  /** The counts are kept in a file. */
  get isPersistent(): boolean {
    return this.#path !== "";
  }

  /** The file could not be written when that was tried last. */
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

  /** Something was used: the file is written within a second, however often this is called. */
  readonly changed = (): void => {
    if (this.#path === "" || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#write();
    }, WRITE_DELAY_MS).unref();
  };

  /** Writes what is not written yet. */
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
        "usage of API keys cannot be read, all begin at zero",
      );
      return;
    }
    try {
      const { keys } = JSON.parse(text) as { keys?: unknown };
      if (typeof keys !== "object" || keys === null) throw new Error("it has no keys");
      for (const [name, saved] of Object.entries(keys)) this.of(name).restore(saved);
    } catch (error) {
      this.#logger.warn({ path, error: String(error) }, "usage of API keys is damaged, all begin at zero");
    }
  }

  #write(): void {
    this.#writing = this.#writing.then(() => this.#replaceFile());
  }

  async #replaceFile(): Promise<void> {
    const path = this.#path;
    const kept = [...this.#usages].filter(([, usage]) => !usage.isEmpty);
    try {
      await replaceFile(
        path,
        `${JSON.stringify({ keys: Object.fromEntries(kept) })}
`,
      );
      this.#failed = false;
    } catch (error) {
      if (!this.#failed) {
        this.#logger.error({ path, error: String(error) }, "usage of API keys cannot be written");
      }
      this.#failed = true;
    }
  }
}
