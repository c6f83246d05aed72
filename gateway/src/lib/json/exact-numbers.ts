// JSON has numbers of any length, JavaScript doubles. What would not survive being read and written again is kept as it
// was written: `JSON.rawJSON` holds the literal, and `JSON.stringify` writes it back.

declare global {
  interface RawJson {
    readonly rawJSON: string;
  }

  // Part of ES2026, and of Node.js since 22; TypeScript does not know them yet.
  interface JSON {
    rawJSON(text: string): RawJson;
    isRawJSON(value: unknown): value is RawJson;
  }
}

const INTEGER = /^-?\d+$/;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** The value of a number literal: exact if it is an integer, whatever its size. */
export function exactNumber(literal: string): number | RawJson {
  const number = Number(literal);
  return INTEGER.test(literal) && !Number.isSafeInteger(number) ? JSON.rawJSON(literal) : number;
}

/** The literal of an integer that no JavaScript number holds exactly; undefined for any other value. */
export function exactLiteral(value: unknown): string | undefined {
  return JSON.isRawJSON(value) ? value.rawJSON : undefined;
}

/** The nearest double of a number, however it is held; undefined for any other value. */
export function toDouble(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  const literal = exactLiteral(value);
  return literal === undefined ? undefined : Number(literal);
}

/** Whether a value is a JSON object: neither an array, nor null, nor a number that is held exactly. */
export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}

/** Whether a value is an integer of 64 bits, held as a number or exactly. */
export function isInt64(value: unknown): value is number | RawJson {
  // Of a number with an exponent, the double is exact.
  if (typeof value === "number") return Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63;
  const literal = exactLiteral(value);
  if (literal === undefined || literal.length > 20) return false;
  const integer = BigInt(literal);
  return INT64_MIN <= integer && integer <= INT64_MAX;
}
