import { isMonth, type ReplicaUsage, UsageFiles } from "./usage-file.ts";
import type { UsageRow } from "./usage-rows.ts";

// What a gateway that is killed forgets at most.
const FLUSH_DELAY_MS = 10_000;

// 30 days of 30 keys with 11 models each. Beyond it, all further keys and models of a day are counted in one row.
const MAX_ROWS = 10_000;
const OTHERS = "(others)";

// In memory, where there are no files.
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
 * What requests came to by day, key and model: this month and the one before in memory, and in a file for each month
 * where the gateway has a folder for them.
 */
export class UsageStore {
  readonly #files: UsageFiles | undefined;
  readonly #logger: Logger;
  /** By name, such as 2026-11; the latest last. */
  readonly #months = new Map<string, Month>();
  readonly #changed = new Set<string>();
  #dayNumber = -1;
  #day = "";
  /** Rows of the current day by key and model, so that counting takes two look-ups. */
  #today = new Map<string, Map<string, Row>>();
  #timer: NodeJS.Timeout | undefined;
  /** What was written before this start is read before anything is written. */
  #work: Promise<void>;
  #failed = false;

  /** @param usageFile beside which the files are; empty: usage is kept in memory only */
  constructor(usageFile: string, logger: Logger) {
    this.#logger = logger;
    this.#files = usageFile === "" ? undefined : new UsageFiles(usageFile);
    this.#beginDay(dayNumber());
    this.#work = this.#files === undefined ? Promise.resolve() : this.#restore(this.#files);
  }

  /** Whether what was counted last could not be written. */
  get hasFailed(): boolean {
    return this.#failed;
  }

  /** Counts a request that has ended. @param key its name; empty: none */
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
   * The rows of a month: of this gateway as they are, and of the replicas whose files are in the same folder as they
   * were written last, at most ten seconds ago.
   *
   * @param month such as 2026-11
   * @throws Error when there is no such month, or a file cannot be read
   */
  async rows(month: string): Promise<UsageRow[]> {
    const others = await this.othersRows(month);
    return [...(await this.ownRows(month)), ...others.flatMap(({ rows }) => rows)];
  }

  /** Those of this gateway alone. */
  async ownRows(month: string): Promise<UsageRow[]> {
    requireMonth(month);
    await this.#work;
    const known = this.#months.get(month);
    if (known === undefined) return (await this.#files?.readOwn(month)) ?? [];
    return [...known.values()].map((row) => ({ ...row }));
  }

  /** Those of each of the replicas, as they were written last. */
  async othersRows(month: string): Promise<ReplicaUsage[]> {
    requireMonth(month);
    return (await this.#files?.readOthers(month)) ?? [];
  }

  /** Writes what is not written yet. */
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
    // What is counted among others is looked up each time: there is no end to their names.
    if (row.key !== OTHERS)
      this.#today.set(key, (this.#today.get(key) ?? new Map<string, Row>()).set(model, row));
    return row;
  }

  #flushLater(): void {
    this.#changed.add(this.#day.slice(0, 7));
    this.#timer = setTimeout(() => void this.flush(), FLUSH_DELAY_MS).unref();
  }

  /** Adds what an earlier start of this gateway wrote to what has been counted since. */
  async #restore(files: UsageFiles): Promise<void> {
    const name = this.#day.slice(0, 7);
    const month = this.#months.get(name) ?? new Map<string, Row>();
    let rows: readonly UsageRow[] = [];
    try {
      rows = await files.readOwn(name);
    } catch (error) {
      this.#logger.warn({ error: String(error) }, "usage of this month cannot be read, it begins at zero");
      // It would be written over.
      await files.setAside(name).catch(() => undefined);
    }
    for (const { day, key, model, ...counts } of rows) {
      const row = rowOf(month, day, key, model);
      row.requests += counts.requests;
      row.promptTokens += counts.promptTokens;
      row.generatedTokens += counts.generatedTokens;
      row.loadSeconds += counts.loadSeconds;
    }
    await files.prune().catch((error: unknown) => {
      this.#logger.warn({ error: String(error) }, "usage of months that are long over cannot be removed");
    });
  }

  async #write(files: UsageFiles): Promise<void> {
    // A month that has just begun does not keep the last requests of the one before from its file.
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
        if (!this.#failed) this.#logger.error({ error: String(error) }, "usage cannot be written");
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
