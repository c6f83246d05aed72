import { JsonSyntaxError } from "./syntax-error.ts";

const LOWER_U = 0x75;

/** Numbers, and the letters of true, false and null. */
export function isWordByte(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x2d ||
    byte === 0x2e ||
    byte === 0x2b ||
    byte === 0x45
  );
}

/**
 * Decodes a string or a part of one.
 *
 * @param seen bitwise OR of its bytes
 * @throws JsonSyntaxError
 */
export function decodeString(
  bytes: Buffer,
  start: number,
  end: number,
  seen: number,
  hasEscapes: boolean,
): string {
  if (hasEscapes) {
    try {
      return JSON.parse(`"${bytes.toString("utf8", start, end)}"`) as string;
    } catch {
      throw new JsonSyntaxError("an invalid escape in a string");
    }
  }
  return seen < 0x80 ? bytes.toString("latin1", start, end) : bytes.toString("utf8", start, end);
}

/** End of the last complete character in an incomplete string. */
export function endOfCharacters(bytes: Buffer, start: number, lastEscape: number): number {
  const { length } = bytes;
  if (lastEscape !== -1) {
    const escapeLength = bytes[lastEscape + 1] === LOWER_U ? 6 : 2;
    if (lastEscape + escapeLength > length) return lastEscape;
  }
  // The first byte of a multi-byte character determines its length.
  for (let at = length - 1; at >= Math.max(start, length - 4); at -= 1) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x80) break;
    if (byte < 0xc0) continue;
    const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return at + size > length ? at : length;
  }
  return length;
}
