// Formats values so that requested and actual ones are comparable and readable.

export const mebibyte = 1024 * 1024;

/** The first digits of an id or digest, as Docker shows it. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, "").slice(0, 12);
}

export function list(values: readonly string[] | null | undefined): string {
  return values === null || values === undefined || values.length === 0
    ? "none"
    : [...values].sort().join(", ");
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
