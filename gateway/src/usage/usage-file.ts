import { readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { replaceFile } from "../lib/replace-file.ts";
import type { UsageRow } from "./usage-rows.ts";

// A month with the maximum number of rows has 2 MB.
const MAX_FILE_BYTES = 16 * 1024 * 1024;

// Number of months to keep, including the current one.
const KEPT_MONTHS = 14;

const MONTH = /^\d{4}-(0[1-9]|1[0-2])$/;

/** Usage counted by one replica. */
export interface ReplicaUsage {
  /** Name of its file, which is that of its container. */
  readonly name: string;
  readonly rows: readonly UsageRow[];
}

export function isMonth(text: string): boolean {
  return MONTH.test(text);
}

/**
 * The monthly usage files of a gateway, next to USAGE_FILE: `NAME.usage-2026-11.json`. Replicas append a number to the
 * name, so that each finds the others' files in a shared folder.
 */
export class UsageFiles {
  readonly #folder: string;
  readonly #name: string;
  /** Cached contents of the other replicas' files, by path. */
  #read = new Map<string, { readonly stamp: string; readonly rows: readonly UsageRow[] }>();

  constructor(usageFile: string) {
    this.#folder = dirname(usageFile);
    this.#name = basename(usageFile, ".json");
  }

  /** Reads what this gateway wrote last. */
  async readOwn(month: string): Promise<UsageRow[]> {
    return readRows(this.#path(month), month);
  }

  /** Reads what the other replicas wrote last, including removed ones. */
  async readOthers(month: string): Promise<ReplicaUsage[]> {
    const others = (await this.#filesOfReplicas()).filter(
      (file) => file.month === month && file.name !== this.#name,
    );
    const before = this.#read;
    this.#read = new Map();
    return Promise.all(
      others.map(async ({ name, path }) => {
        // Parse only files that have changed, for callers that poll.
        const stamp = await stampOf(path);
        const known = before.get(path);
        const rows = known?.stamp === stamp ? known.rows : await readRows(path, month);
        this.#read.set(path, { stamp, rows });
        return { name, rows };
      }),
    );
  }

  /** Renames this gateway's damaged file of a month, so that a new one can be written. */
  async quarantine(month: string): Promise<void> {
    await rename(this.#path(month), `${this.#path(month)}.damaged`);
  }

  async write(month: string, rows: readonly UsageRow[]): Promise<void> {
    const compact = rows.map((row) => [
      row.day.slice(8),
      row.key,
      row.model,
      row.requests,
      row.promptTokens,
      row.generatedTokens,
      Math.round(row.loadSeconds * 1000) / 1000,
    ]);
    await replaceFile(this.#path(month), `${JSON.stringify({ version: 1, month, rows: compact })}\n`);
  }

  /** Removes this gateway's files of old months. */
  async prune(): Promise<void> {
    const own = (await this.#filesOfReplicas()).filter(({ name }) => name === this.#name);
    const expired = own.sort((a, b) => (a.month < b.month ? 1 : -1)).slice(KEPT_MONTHS);
    for (const { path } of expired) await rm(path, { force: true });
  }

  #path(month: string): string {
    return join(this.#folder, `${this.#name}.usage-${month}.json`);
  }

  async #filesOfReplicas() {
    const first = this.#name.replace(/(-gateway)-\d+$/, "$1");
    const files = await readdir(this.#folder);
    return files.flatMap((file) => {
      const [, name = "", month = ""] = /^(.+)\.usage-(\d{4}-\d{2})\.json$/.exec(file) ?? [];
      const isReplica =
        name === first || (name.startsWith(`${first}-`) && /^\d+$/.test(name.slice(first.length + 1)));
      return isReplica ? [{ name, month, path: join(this.#folder, file) }] : [];
    });
  }
}

/** Identifies a version of a file; empty if there is none. */
async function stampOf(path: string): Promise<string> {
  try {
    const { ino, mtimeMs, size } = await stat(path);
    return `${ino} ${mtimeMs} ${size}`;
  } catch {
    return "";
  }
}

/**
 * Reads a usage file. A missing file has no rows.
 *
 * @throws Error if it is not a usage file
 */
async function readRows(path: string, month: string): Promise<UsageRow[]> {
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) throw new Error(`${path} is longer than ${MAX_FILE_BYTES} bytes`);
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  const { rows } = JSON.parse(text) as { rows?: unknown };
  if (!Array.isArray(rows)) throw new Error(`${path} has no rows`);
  return rows.flatMap((row) => parseRow(row, month) ?? []);
}

function parseRow(row: unknown, month: string): UsageRow | undefined {
  if (!Array.isArray(row)) return undefined;
  const [day, key, model, ...counts] = row as unknown[];
  const [requests, promptTokens, generatedTokens, loadSeconds] = counts.map((count) =>
    typeof count === "number" && Number.isFinite(count) && count >= 0 ? count : 0,
  );
  if (typeof day !== "string" || typeof key !== "string" || typeof model !== "string") return undefined;
  return {
    day: `${month}-${day}`,
    key,
    model,
    requests: requests ?? 0,
    promptTokens: promptTokens ?? 0,
    generatedTokens: generatedTokens ?? 0,
    loadSeconds: loadSeconds ?? 0,
  };
}
