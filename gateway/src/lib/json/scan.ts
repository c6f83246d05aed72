import { MAX_DEPTH, MAX_KEY_BYTES } from "./limits.ts";

// The native parser takes at most a few milliseconds for this length.
const MAX_LENGTH = 256 * 1024;
const MAX_VALUES = 16_384;

// A character of JavaScript takes at most three bytes of UTF-8.
const MAX_KEY_LENGTH = MAX_KEY_BYTES / 3;

const WHITESPACE: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);

// All integers with fewer digits are exact as doubles.
const SAFE_DIGITS = 15;

const QUOTE = 0x22;
const COMMA = 0x2c;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const COLON = 0x3a;
const UPPER_E = 0x45;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const LOWER_E = 0x65;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Checks whether `JSON.parse`, which is faster, gives the same result as `JsonParser`: the text is short, within all
 * limits, and contains neither large numbers nor a `__proto__` key. Does not check the syntax.
 *
 * @returns upper bound for the number of values; undefined if the check fails
 */
export function simpleJsonValues(text: string): number | undefined {
  const { length } = text;
  if (length > MAX_LENGTH) return undefined;
  let depth = 0;
  let values = 1;
  for (let at = 0; at < length; at += 1) {
    const code = text.charCodeAt(at);
    switch (code) {
      case QUOTE: {
        const end = endOfString(text, at);
        if (end - at > MAX_KEY_LENGTH && isBeforeColon(text, end)) return undefined;
        at = end;
        break;
      }
      case OPEN_BRACE:
      case OPEN_BRACKET:
        depth += 1;
        values += 1;
        if (depth > MAX_DEPTH) return undefined;
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        depth -= 1;
        break;
      case COMMA:
        values += 1;
        break;
      default:
        if (code >= DIGIT_0 && code <= DIGIT_9) {
          const start = at;
          while (isDigit(text.charCodeAt(at + 1))) at += 1;
          const next = text.charCodeAt(at + 1);
          if (at - start >= SAFE_DIGITS || next === LOWER_E || next === UPPER_E) return undefined;
        }
    }
  }
  // `\u005f` is an escaped underscore.
  const isSimple = values <= MAX_VALUES && !text.includes("__proto__") && !text.includes("\\u005");
  return isSimple ? values : undefined;
}

/** Whether a string that ends here is a key. */
function isBeforeColon(text: string, end: number): boolean {
  let at = end + 1;
  while (WHITESPACE.has(text.charCodeAt(at))) at += 1;
  return text.charCodeAt(at) === COLON;
}

function isDigit(code: number): boolean {
  return code >= DIGIT_0 && code <= DIGIT_9;
}

/** @param start index of the opening quote */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) before -= 1;
    // After an even number of backslashes, the quote is not escaped.
    if ((end - before) % 2 === 1) return end;
  }
  return text.length;
}
