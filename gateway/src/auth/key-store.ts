import { timingSafeEqual } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import {
  checkConsistency,
  digestOf,
  type KeyDefinition,
  KeyError,
  keyId,
  keyLabel,
  rejectionReason,
  sharedFields,
} from "./api-keys.ts";
import { Consumer } from "./consumer.ts";
import { type KeyFile, KeyFileWatcher } from "./key-file.ts";
import { RateLimits } from "./rate-limits.ts";
import type { SharedUsage } from "./shared-usage.ts";
import type { UsageLedger } from "./usage-ledger.ts";

/** A key in effect and its consumer. */
export interface KnownKey {
  readonly key: KeyDefinition;
  readonly consumer: Consumer;
  readonly keyId: string;
  /** `NAME:ID`, for audit logs. */
  readonly label: string;
}

/** Changed keys, as `NAME:ID`. */
interface KeyChanges {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Keys with another expiry, other limits or permissions. */
  readonly changed: readonly string[];
}

export interface KeyObserver {
  /** @param path of the key file */
  changed(path: string, changes: KeyChanges): void;
  /** The file cannot be read; the previous keys stay in effect. */
  failed(path: string, problem: string): void;
}

/** The API keys in effect, from the environment and from a file that is watched for changes. */
export class KeyStore {
  #entries: readonly KnownKey[] = [];
  readonly #watcher: KeyFileWatcher | undefined;
  #path = "";
  readonly #usage: UsageLedger;
  readonly #shared: SharedUsage | undefined;
  /**
   * The last valid key of each connection: a client sends the same one each time, and its digest takes 2 µs. A Map
   * compares by a hash first, so that the time reveals nothing to other clients of the same proxy.
   */
  #latest = new WeakMap<object, Map<string, KnownKey>>();
  /** Names of all keys since startup, including removed ones. */
  readonly #names = new Set<string>();

  /**
   * @param usage consumption by key name, which survives changes and removal of the key
   * @param shared usage counted across gateways, if there are several
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
    this.#watcher = new KeyFileWatcher(file, {
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

  /** Whether there are no keys, so that every request is admitted. */
  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** Whether there are multiple consumers. */
  get hasMultiple(): boolean {
    return this.#entries.some(({ consumer }) => consumer !== this.#entries[0]?.consumer);
  }

  /** Whether there have been multiple consumers since startup: metrics still show the usage of removed ones. */
  get hadMultiple(): boolean {
    return this.#names.size > 1;
  }

  /** The key file and why its keys are not in effect; undefined without a problem. */
  get fileProblem(): { readonly path: string; readonly problem: string } | undefined {
    const problem = this.#watcher?.problem;
    return problem === undefined ? undefined : { path: this.#path, problem };
  }

  /** Keys in effect, in the configured order. */
  get keys(): readonly KnownKey[] {
    return this.#entries;
  }

  /** Whether the key would still authenticate as the same consumer with the same permissions. */
  isCurrent(consumer: Consumer, id: string): boolean {
    return this.#entries.some(
      (entry) =>
        entry.consumer === consumer && entry.keyId === id && rejectionReason(entry.key) === undefined,
    );
  }

  /**
   * Finds a key, which may have expired or be disabled.
   *
   * @param connection the connection that the key was presented on
   */
  authenticate(presented: string, connection: object): KnownKey | undefined {
    const latest = this.#latest.get(connection)?.get(presented);
    if (latest !== undefined) return latest;
    const match = this.#find(presented);
    if (match !== undefined) this.#latest.set(connection, new Map([[presented, match]]));
    return match;
  }

  /** Compares with every key, so that the time reveals nothing. */
  #find(presented: string): KnownKey | undefined {
    const digest = digestOf(presented);
    let match: KnownKey | undefined;
    for (const entry of this.#entries) if (timingSafeEqual(entry.key.digest, digest)) match = entry;
    return match;
  }

  /**
   * Reads the key file immediately and returns the keys in effect, as `NAME:ID`.
   *
   * @throws Error if it cannot be read
   */
  async reload(): Promise<readonly string[]> {
    if (this.#watcher === undefined) throw new KeyError("this gateway has no file of keys (API_KEYS_FILE)");
    await this.#watcher.reload();
    return this.#entries.map(({ label }) => label);
  }

  close(): void {
    this.#watcher?.stop();
  }

  /** Keeps the consumer of each name, and with it the usage. */
  #replace(keys: readonly KeyDefinition[]): void {
    checkConsistency(keys);
    const before = this.#entries;
    this.#latest = new WeakMap();
    const consumers = new Map<string, Consumer>();
    this.#entries = keys.map((key) => {
      const consumer = consumers.get(key.name) ?? this.#consumerOf(key, before);
      consumers.set(key.name, consumer);
      this.#names.add(key.name);
      return { key, keyId: keyId(key), label: keyLabel(key), consumer };
    });
  }

  #consumerOf(key: KeyDefinition, before: readonly KnownKey[]): Consumer {
    const known = before.find(({ consumer }) => consumer.name === key.name);
    if (known !== undefined && isDeepStrictEqual(sharedFields(known.key), sharedFields(key))) {
      return known.consumer;
    }
    const usage = this.#usage.of(key.name);
    return new Consumer(key, new RateLimits(key, usage, this.#usage.scheduleWrite, this.#shared));
  }
}

function changesBetween(before: readonly KnownKey[], after: readonly KnownKey[]): KeyChanges {
  const labels = (entries: readonly KnownKey[]): string[] => entries.map(({ label }) => label);
  const previous = new Map(before.map(({ label, key }) => [label, key]));
  const current = new Set(labels(after));
  return {
    added: labels(after.filter(({ label }) => !previous.has(label))),
    removed: labels(before.filter(({ label }) => !current.has(label))),
    changed: labels(
      after.filter(({ label, key }) => previous.has(label) && !isDeepStrictEqual(previous.get(label), key)),
    ),
  };
}
