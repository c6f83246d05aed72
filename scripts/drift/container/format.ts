// How values are put so that what was asked for and what there is can be compared, and read.

export const mebibyte = 1024 * 1024;

export function list(values: readonly string[] | null | undefined): string {
  return values === null || values === undefined || values.length === 0
    ? "none"
    : [...values].sort().join(", ");
}

/** A list whose order matters. */
export function command(words: readonly string[] | null | undefined): string {
  return words === null || words === undefined || words.length === 0 ? "none" : JSON.stringify(words);
}

export function map(values: Readonly<Record<string, string>> | null | undefined): string {
  return list(Object.entries(values ?? {}).map(([key, value]) => `${key}=${value}`));
}

export function mebibytes(bytes: number): string {
  return bytes <= 0 ? "unlimited" : `${String(bytes / mebibyte)} MiB`;
}

export function flag(value: boolean | null | undefined): string {
  return value === true ? "yes" : "no";
}

export function count(value: number | null | undefined): string {
  return value === null || value === undefined || value <= 0 ? "default" : String(value);
}
