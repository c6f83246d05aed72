const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** E.g. "1.3 GiB". */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? String(value) : rounded(value)} ${UNITS[unit] ?? ""}`;
}

/** E.g. "850 ms", "2.4 s", "3 min 5 s", "2 h 10 min", "3 d 4 h". */
export function formatDuration(ms: number): string {
  if (ms < 0) return "0 ms";
  if (ms < 999.5) return `${ms < 10 ? rounded(ms) : String(Math.round(ms))} ms`;
  if (ms < 59_950) return `${rounded(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  const parts: (readonly [number, string])[] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${String(value)} ${unit}`)
    .join(" ");
}

/** E.g. "42.1 tokens/s". */
export function formatRate(perSecond: number): string {
  return `${rounded(perSecond)} tokens/s`;
}

/** Rounds down to seconds, so that counters advance evenly. */
export function formatAge(ms: number): string {
  return ms < 1000 ? "0 s" : formatDuration(Math.floor(ms / 1000) * 1000);
}

const integerFormat = new Intl.NumberFormat("en-US");

/** E.g. "12,345". */
export function formatCount(value: number): string {
  return integerFormat.format(value);
}

/** E.g. "1 token" or "2 tokens". */
export function plural(value: number, noun: string): string {
  return `${formatCount(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** E.g. "38 %". */
export function formatShare(share: number): string {
  return `${String(Math.round(share * 100))} %`;
}

/** Time of day such as "14:03:09", with the date unless it is today. */
export function formatTime(iso: string, now = new Date()): string {
  const date = new Date(iso);
  const time = date.toLocaleTimeString("en-GB");
  return date.toDateString() === now.toDateString() ? time : `${date.toLocaleDateString("en-GB")} ${time}`;
}

/** Time until a moment, such as "in 4 min 10 s", or "now" if it has passed. */
export function formatUntil(iso: string, now = Date.now()): string {
  const ms = Date.parse(iso) - now;
  return ms <= 0 ? "now" : `in ${formatDuration(Math.max(1000, Math.round(ms / 1000) * 1000))}`;
}

function rounded(value: number): string {
  if (value >= 99.95) return integerFormat.format(Math.round(value));
  const text = value.toFixed(value >= 9.95 ? 1 : 2);
  return text.replace(/\.?0+$/, "");
}
