/**
 * How deep a JSON text may be nested. Schemas are a few dozen levels deep; what reads or writes JSON by recursion, as
 * JSON.stringify does, fails at some thousands.
 */
export const MAX_DEPTH = 128;

/**
 * How many values a JSON text may hold. An object costs 50 bytes and more for three bytes of text: without a limit, a
 * body of 32 MiB would take more memory than the image gives the process. Images and long texts are one value each.
 */
export const MAX_VALUES = 500_000;

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** What a JSON text is too much of, or else how many values it holds at most. */
export type Measure = "depth" | "values" | number;

/** Measures a JSON text, as far as that can be without parsing it. Whether it is JSON at all is not looked at. */
export function measure(text: string): Measure {
  let depth = 0;
  let values = 0;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at);
        break;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        depth += 1;
        values += 1;
        if (depth > MAX_DEPTH) return "depth";
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        depth -= 1;
        break;
      case COMMA:
        values += 1;
        if (values > MAX_VALUES) return "values";
        break;
    }
  }
  return values;
}

/** @param start where its first quote is */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) before -= 1;
    // An even number of backslashes quote each other.
    if ((end - before) % 2 === 1) return end;
  }
  return text.length;
}
