const SECOND = 1000;

const MS_PER_UNIT: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: SECOND,
  m: 60 * SECOND,
  h: 3600 * SECOND,
};

// Longer than any duration that somebody writes.
const MAX_LENGTH = 64;
// Each character can match in one way only, because clients send this.
const DURATION = /^([+-]?)((?:(?:\d+(?:\.\d*)?|\.\d+)[a-z\u00b5\u03bc]+)+|0)$/;

/**
 * Returns a `keep_alive` in milliseconds: a number is in seconds, a string is a Go duration ("1h30m"), and a negative
 * value is Infinity. Undefined if it is missing or Ollama does not accept it.
 */
export function keepAliveMs(keepAlive: unknown): number | undefined {
  if (typeof keepAlive === "number") return keepAlive < 0 ? Infinity : keepAlive * SECOND;
  if (typeof keepAlive !== "string" || keepAlive.length > MAX_LENGTH) return undefined;
  const [, sign, text = ""] = DURATION.exec(keepAlive) ?? [];
  let milliseconds = text === "" ? NaN : 0;
  for (const [, amount, unit = ""] of text.matchAll(/([\d.]+)([a-z\u00b5\u03bc]+)/g)) {
    milliseconds += Number(amount) * (MS_PER_UNIT[unit] ?? NaN);
  }
  if (Number.isNaN(milliseconds)) return undefined;
  return sign === "-" && milliseconds > 0 ? Infinity : milliseconds;
}
