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

/**
 * How long a model stays loaded by a request's `keep_alive`, ms: a number counts seconds, a text is a duration as Go
 * writes it ("1h30m"), less than nothing is for ever. Undefined when nothing is said, or nothing that Ollama takes.
 */
export function keepAliveMs(keepAlive: unknown): number | undefined {
  if (typeof keepAlive === "number") return keepAlive < 0 ? Infinity : keepAlive * SECOND;
  if (typeof keepAlive !== "string") return undefined;
  const [, sign, text = ""] = /^([+-]?)((?:\d*\.?\d+[a-zµμ]+)+|0)$/.exec(keepAlive) ?? [];
  let milliseconds = text === "" ? NaN : 0;
  for (const [, amount, unit = ""] of text.matchAll(/([\d.]+)([a-zµμ]+)/g)) {
    milliseconds += Number(amount) * (MS_PER_UNIT[unit] ?? NaN);
  }
  if (Number.isNaN(milliseconds)) return undefined;
  return sign === "-" && milliseconds > 0 ? Infinity : milliseconds;
}
