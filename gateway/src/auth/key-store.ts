import { timingSafeEqual } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import {
  checkTogether,
  digestOf,
  type KeyDefinition,
  KeyError,
  keyId,
  keyLabel,
  refusalOf,
  sharedFields,
} from "./api-keys.ts";
import { Consumer } from "./consumer.ts";
import { type KeyFile, KeyFileFollower } from "./key-file.ts";
import { RateLimits } from "./rate-limits.ts";
import type { SharedUsage } from "./shared-usage.ts";
import type { UsageLedger } from "./usage-ledger.ts";

/** A key in force, and whose it is. */
export interface KnownKey {
  readonly key: KeyDefinition;
  readonly consumer: Consumer;
}

interface Entry extends KnownKey {
  readonly keyId: string;
  /** `NAME:ID`, in audit lines. */
  readonly label: string;
}

/** A key that is known. */
export interface Authenticated {
  readonly consumer: Consumer;
  readonly keyId: string;
  /** Why it is refused all the same. */
  readonly refusal: ReturnType<typeof refusalOf>;
  /** ISO 8601, when it has an end. */
  readonly expiresAt: string | undefined;
}

/** What has become of the keys, each as `NAME:ID`. */
export interface KeyChanges {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Another expiry, other limits or rights. */
  readonly changed: readonly string[];
}

export interface KeyObserver {
  /** @param path of the file whose keys are others now */
  changed(path: string, changes: KeyChanges): void;
  /** The file cannot be read: the keys before stay in force. */
  failed(path: string, problem: string): void;
}

/** The API keys in force: those of the environment, and those of a file, whose changes are followed. */
export class KeyStore {
  #entries: readonly Entry[] = [];
  readonly #follower: KeyFileFollower | undefined;
  #path = "";
  readonly #usage: UsageLedger;
  readonly #shared: SharedUsage | undefined;
  /** Of the keys in force and of those removed since the start. */
  readonly #names = new Set<string>();

  /**
   * @param usage what each key has used: it outlives its limits, and the key itself
   * @param shared what all gateways have counted, where there are several
   */
  constructor(
    fixed: readonly KeyDefinition[],
    file: KeyFile | undefined,
    observer: KeyObserver,
    usage: UsageLedger,
    shared?: SharedUsage,
  ) {
    this.#usage = usage;
    this.#shared = shared;
    this.#replace([...fixed, ...(file?.keys ?? [])]);
    if (file === undefined) return;
    const { path } = file;
    this.#path = path;
    this.#follower = new KeyFileFollower(file, {
      changed: (keys) => {
        const before = this.#entries;
        this.#replace([...fixed, ...keys]);
        observer.changed(path, changesBetween(before, this.#entries));
      },
      failed: (problem) => {
        observer.failed(path, problem);
      },
    });
  }

  /** Without any, everybody is let in. */
  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** Clients have to be distinguished. */
  get hasMultiple(): boolean {
    return this.#entries.some(({ consumer }) => consumer !== this.#entries[0]?.consumer);
  }

  /** There have been several clients since the start: metrics still show what one that is gone has used. */
  get hadMultiple(): boolean {
    return this.#names.size > 1;
  }

  /** The file whose keys are not in force, and why. */
  get fileProblem(): { readonly path: string; readonly problem: string } | undefined {
    const problem = this.#follower?.problem;
    return problem === undefined ? undefined : { path: this.#path, problem };
  }

  /** The keys in force, in the order in which they were given. */
  get keys(): readonly KnownKey[] {
    return this.#entries;
  }

  /** Whether a consumer that was authenticated by a key still would be, with the same rights. */
  isCurrent(consumer: Consumer, id: string): boolean {
    return this.#entries.some(
      (entry) => entry.consumer === consumer && entry.keyId === id && refusalOf(entry.key) === undefined,
    );
  }

  /** Looks at every key, however early one matches, so that the time reveals nothing. */
  authenticate(presented: string): Authenticated | undefined {
    const digest = digestOf(presented);
    let found: Entry | undefined;
    for (const entry of this.#entries) if (timingSafeEqual(entry.key.digest, digest)) found = entry;
    if (found === undefined) return undefined;
    const { key, keyId, consumer } = found;
    return {
      consumer,
      keyId,
      refusal: refusalOf(key),
      expiresAt: key.expiresAt === undefined ? undefined : new Date(key.expiresAt).toISOString(),
    };
  }

  /** Reads the file at once, and returns what is in force then, as `NAME:ID`. @throws Error when it cannot be read */
  async reload(): Promise<readonly string[]> {
    if (this.#follower === undefined) throw new KeyError("this gateway has no file of keys (API_KEYS_FILE)");
    await this.#follower.reload();
    return this.#entries.map(({ label }) => label);
  }

  close(): void {
    this.#follower?.stop();
  }

  /** All keys of a name are one consumer, who keeps what it has used. */
  #replace(keys: readonly KeyDefinition[]): void {
    checkTogether(keys);
    const before = this.#entries;
    const consumers = new Map<string, Consumer>();
    this.#entries = keys.map((key) => {
      const consumer = consumers.get(key.name) ?? this.#consumerOf(key, before);
      consumers.set(key.name, consumer);
      this.#names.add(key.name);
      return { key, keyId: keyId(key), label: keyLabel(key), consumer };
    });
  }

  #consumerOf(key: KeyDefinition, before: readonly Entry[]): Consumer {
    const known = before.find(({ consumer }) => consumer.name === key.name);
    if (known !== undefined && isDeepStrictEqual(sharedFields(known.key), sharedFields(key))) {
      return known.consumer;
    }
    const usage = this.#usage.of(key.name);
    return new Consumer(key, new RateLimits(key, usage, this.#usage.changed, this.#shared));
  }
}

function changesBetween(before: readonly Entry[], after: readonly Entry[]): KeyChanges {
  const labels = (entries: readonly Entry[]): string[] => entries.map(({ label }) => label);
  const was = new Map(before.map(({ label, key }) => [label, key]));
  const is = new Set(labels(after));
  return {
    added: labels(after.filter(({ label }) => !was.has(label))),
    removed: labels(before.filter(({ label }) => !is.has(label))),
    changed: labels(
      after.filter(({ label, key }) => was.has(label) && !isDeepStrictEqual(was.get(label), key)),
    ),
  };
}
