// Keeps JSON integers beyond the precision of a double: `JSON.rawJSON` holds their literal, and `JSON.stringify` writes
// it back.

declare global {
  interface RawJson {
    readonly rawJSON: string;
  }

  // Part of ES2026, and of Node.js since 22, but missing in TypeScript's types.
  interface JSON {
    rawJSON(text: string): RawJson;
    isRawJSON(value: unknown): value is RawJson;
  }
}

const INTEGER = /^-?\d+$/;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** The value of a number literal; exact for integers of any size. */
export function exactNumber(literal: string): number | RawJson {
  const number = Number(literal);
  return INTEGER.test(literal) && !Number.isSafeInteger(number) ? JSON.rawJSON(literal) : number;
}

/** The literal of an exact integer beyond the precision of a double; undefined for other values. */
export function exactLiteral(value: unknown): string | undefined {
  return JSON.isRawJSON(value) ? value.rawJSON : undefined;
}

/** The nearest double of a plain or exact number; undefined for other values. */
export function toDouble(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  const literal = exactLiteral(value);
  return literal === undefined ? undefined : Number(literal);
}

/** Whether a value is a JSON object: not an array, null or an exact number. */
export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}

/** Whether a value is a 64-bit integer, plain or exact. */
export function isInt64(value: unknown): value is number | RawJson {
  // An exponent makes a plain number of that size exact.
  if (typeof value === "number") return Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63;
  const literal = exactLiteral(value);
  if (literal === undefined || literal.length > 20) return false;
  const integer = BigInt(literal);
  return INT64_MIN <= integer && integer <= INT64_MAX;
}
