import { isMonth, type ReplicaUsage, UsageFiles } from "./usage-file.ts";
import type { UsageRow } from "./usage-rows.ts";

// Maximum age of usage lost if the gateway is killed.
const FLUSH_DELAY_MS = 10_000;

// 30 days with 30 keys and 11 models each. Above this, the remaining keys and models of a day share one row.
const MAX_ROWS = 10_000;
const OTHERS = "(others)";

// Number of months in memory if there are no files.
const MONTHS_IN_MEMORY = 2;

const DAY_MS = 86_400_000;

interface Logger {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

type Row = { -readonly [Name in keyof UsageRow]: UsageRow[Name] };
/** Rows by day, key and model. */
type Month = Map<string, Row>;

/**
 * Counts usage by day, key and model: the current and the previous month in memory, and optionally in one file per
 * month.
 */
export class UsageStore {
  readonly #files: UsageFiles | undefined;
  readonly #logger: Logger;
  /** By month, e.g. 2026-11; latest last. */
  readonly #months = new Map<string, Month>();
  readonly #changed = new Set<string>();
  #dayNumber = -1;
  #day = "";
  /** Rows of the current day, for fast counting. */
  #today = new Map<string, Map<string, Row>>();
  #timer: NodeJS.Timeout | undefined;
  /** Serializes file access, starting with reading the file of an earlier run. */
  #work: Promise<void>;
  #failed = false;

  /** @param usageFile determines the path of the files; empty to keep usage in memory only */
  constructor(usageFile: string, logger: Logger) {
    this.#logger = logger;
    this.#files = usageFile === "" ? undefined : new UsageFiles(usageFile);
    this.#beginDay(dayNumber());
    this.#work = this.#files === undefined ? Promise.resolve() : this.#restore(this.#files);
  }

  /** Whether the last write failed. */
  get hasFailed(): boolean {
    return this.#failed;
  }

  /**
   * Counts a finished request.
   *
   * @param key its name; empty for none
   */
  count(key: string, model: string, promptTokens: number, generatedTokens: number, loadMs: number): void {
    const day = dayNumber();
    if (day !== this.#dayNumber) this.#beginDay(day);
    const row = this.#today.get(key)?.get(model) ?? this.#beginRow(key, model);
    row.requests += 1;
    row.promptTokens += promptTokens;
    row.generatedTokens += generatedTokens;
    row.loadSeconds += loadMs / 1000;
    if (this.#timer === undefined && this.#files !== undefined) this.#flushLater();
  }

  /**
   * Returns the rows of a month, including those of replicas with files in the same folder, which are at most 10
   * seconds old.
   *
   * @param month e.g. 2026-11
   * @throws Error for an invalid month, or if a file cannot be read
   */
  async rows(month: string): Promise<UsageRow[]> {
    const others = await this.othersRows(month);
    return [...(await this.ownRows(month)), ...others.flatMap(({ rows }) => rows)];
  }

  /** Rows of this gateway only. */
  async ownRows(month: string): Promise<UsageRow[]> {
    requireMonth(month);
    await this.#work;
    const known = this.#months.get(month);
    if (known === undefined) return (await this.#files?.readOwn(month)) ?? [];
    return [...known.values()].map((row) => ({ ...row }));
  }

  /** Rows of each other replica, as last written. */
  async othersRows(month: string): Promise<ReplicaUsage[]> {
    requireMonth(month);
    return (await this.#files?.readOthers(month)) ?? [];
  }

  /** Writes pending changes. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const files = this.#files;
    if (files !== undefined) this.#work = this.#work.then(() => this.#write(files));
    await this.#work;
  }

  #beginDay(day: number): void {
    this.#dayNumber = day;
    this.#day = new Date(day * DAY_MS).toISOString().slice(0, 10);
    this.#today = new Map();
    const name = this.#day.slice(0, 7);
    if (this.#months.has(name)) return;
    this.#months.set(name, new Map());
    for (const old of [...this.#months.keys()].slice(0, -MONTHS_IN_MEMORY)) this.#months.delete(old);
  }

  #beginRow(key: string, model: string): Row {
    const month = this.#months.get(this.#day.slice(0, 7)) ?? new Map<string, Row>();
    const row = rowOf(month, this.#day, key, model);
    // Do not cache rows counted under `(others)`: the number of their names is unbounded.
    if (row.key !== OTHERS)
      this.#today.set(key, (this.#today.get(key) ?? new Map<string, Row>()).set(model, row));
    return row;
  }

  #flushLater(): void {
    this.#changed.add(this.#day.slice(0, 7));
    this.#timer = setTimeout(() => void this.flush(), FLUSH_DELAY_MS).unref();
  }

  /** Merges the file of an earlier run into what has been counted since. */
  async #restore(files: UsageFiles): Promise<void> {
    const name = this.#day.slice(0, 7);
    const month = this.#months.get(name) ?? new Map<string, Row>();
    let rows: readonly UsageRow[] = [];
    try {
      rows = await files.readOwn(name);
    } catch (error) {
      this.#logger.warn({ error: String(error) }, "cannot read this month's usage, starting at zero");
      // It would be overwritten.
      await files.quarantine(name).catch(() => undefined);
    }
    for (const { day, key, model, ...counts } of rows) {
      const row = rowOf(month, day, key, model);
      row.requests += counts.requests;
      row.promptTokens += counts.promptTokens;
      row.generatedTokens += counts.generatedTokens;
      row.loadSeconds += counts.loadSeconds;
    }
    await files.prune().catch((error: unknown) => {
      this.#logger.warn({ error: String(error) }, "cannot remove the usage of old months");
    });
  }

  async #write(files: UsageFiles): Promise<void> {
    // Includes the last requests of a month that has just ended.
    this.#changed.add(this.#day.slice(0, 7));
    for (const name of [...this.#changed]) {
      const rows = [...(this.#months.get(name)?.values() ?? [])];
      this.#changed.delete(name);
      if (rows.length === 0) continue;
      try {
        await files.write(name, rows);
        this.#failed = false;
      } catch (error) {
        this.#changed.add(name);
        if (!this.#failed) this.#logger.error({ error: String(error) }, "cannot write usage");
        this.#failed = true;
      }
    }
  }
}

function requireMonth(text: string): void {
  if (!isMonth(text)) throw new RangeError(`"${text}" is not a month; write it as in 2026-11`);
}

function dayNumber(): number {
  return Math.floor(Date.now() / DAY_MS);
}

function rowOf(month: Month, day: string, key: string, model: string): Row {
  const name = `${day} ${model} ${key}`;
  const known = month.get(name);
  if (known !== undefined) return known;
  if (month.size >= MAX_ROWS && key !== OTHERS) return rowOf(month, day, OTHERS, OTHERS);
  const row = { day, key, model, requests: 0, promptTokens: 0, generatedTokens: 0, loadSeconds: 0 };
  month.set(name, row);
  return row;
}
