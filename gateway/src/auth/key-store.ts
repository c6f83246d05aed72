import { timingSafeEqual } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { FastifyBaseLogger } from "fastify";
import { Caller } from "./consumer.ts";
import { type KeyFile, followKeyFile } from "./key-file.ts";
import { type KeyDefinition, digestOf } from "./api-keys.ts";

interface Entry {
  readonly key: KeyDefinition;
  readonly caller: Caller;
}

/** The API keys in force: those of the environment, and those of a file, whose changes are followed. */
export class KeyRing {
  #entries: readonly Entry[] = [];
  readonly #stopFollowing: (() => void) | undefined;

  constructor(fixed: readonly KeyDefinition[], file: KeyFile | undefined, logger: FastifyBaseLogger) {
    this.#replace([...fixed, ...(file?.keys ?? [])]);
    if (file === undefined) return;
    const { path } = file;
    this.#stopFollowing = followKeyFile(file, (change) => {
      if ("problem" in change) {
        logger.error({ path, error: change.problem }, "API keys cannot be read, those before stay in force");
        return;
      }
      this.#replace([...fixed, ...change.keys]);
      logger.info({ path, keys: this.#entries.length }, "API keys have changed");
    });
  }

  /** Without any, nobody is asked for one. */
  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** Clients have to be told apart. */
  get several(): boolean {
    return this.#entries.length > 1;
  }

  /** Looks at every key, however early one fits: the time taken tells nothing. */
  find(presented: string): Caller | undefined {
    const digest = digestOf(presented);
    let found: Caller | undefined;
    for (const { key, caller } of this.#entries) if (timingSafeEqual(key.digest, digest)) found = caller;
    return found;
  }

  close(): void {
    this.#stopFollowing?.();
  }

  /** A key that is the same as before keeps what it has used of its limits. */
  #replace(keys: readonly KeyDefinition[]): void {
    const before = this.#entries;
    this.#entries = keys.map((key) => {
      const same = before.find((entry) => isDeepStrictEqual(entry.key, key));
      return same ?? { key, caller: new Caller(key) };
    });
  }
}
