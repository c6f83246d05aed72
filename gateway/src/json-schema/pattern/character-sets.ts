import {
  ANY,
  type CodePointRange,
  DIGITS,
  SPACE,
  WORD,
  complement,
  intersection,
  union,
} from "./code-points.ts";
import { NotReadable, type PatternReader, isDigit } from "./reader.ts";

const CONTROL_ESCAPES: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 };

const CLASS_ESCAPES: Readonly<Record<string, readonly CodePointRange[]>> = {
  d: DIGITS,
  D: complement(DIGITS),
  w: WORD,
  W: complement(WORD),
  s: SPACE,
  S: complement(SPACE),
};

/** Frequent sets, which need no check, and are written once. */
const CHECKED: ReadonlySet<readonly CodePointRange[]> = new Set(Object.values(CLASS_ESCAPES));

/** Reads a class after its opening bracket. */
export function readClass(reader: PatternReader): readonly CodePointRange[] {
  const isNegated = reader.take("^");
  const ranges: CodePointRange[] = [];
  while (!reader.take("]")) {
    const from = readMember(reader);
    const isRange = reader.peek() === "-" && reader.peek(1) !== "]" && reader.peek(1) !== "";
    if (!isRange) {
      ranges.push(...from);
      continue;
    }
    reader.advance(1);
    const to = readMember(reader);
    const first = single(from);
    const last = single(to);
    if (first === undefined || last === undefined) {
      // Not a range: the hyphen is literal.
      ranges.push(...from, [0x2d, 0x2d], ...to);
    } else if (last < first) {
      throw new NotReadable();
    } else {
      ranges.push([first, last]);
    }
  }
  return textOnly(isNegated ? complement(ranges) : ranges);
}

function readMember(reader: PatternReader): readonly CodePointRange[] {
  const character = reader.next();
  if (character === "[" && (reader.peek() === ":" || reader.peek() === ".")) throw new NotReadable();
  if (character !== "\\") return rangeOf(character);
  if (reader.take("b")) return [[8, 8]];
  return readEscapedSet(reader);
}

/** Reads an escape after its backslash. */
export function readEscapedSet(reader: PatternReader): readonly CodePointRange[] {
  const letter = reader.next();
  const known = CLASS_ESCAPES[letter];
  if (known !== undefined) return known;
  const control = CONTROL_ESCAPES[letter];
  if (control !== undefined) return [[control, control]];
  switch (letter) {
    case "0":
      if (isDigit(reader.peek())) throw new NotReadable();
      return [[0, 0]];
    case "x":
      return at(readHex(reader, 2));
    case "u":
      return at(readUnicodeEscape(reader));
    case "c": {
      const code = reader.next().charCodeAt(0);
      return at(code % 32);
    }
    case "p":
    case "P":
      if (reader.next() !== "{") throw new NotReadable();
      reader.until("}");
      reader.exact = false;
      return ANY;
    default:
      if (/[A-Za-z0-9]/.test(letter)) throw new NotReadable();
      return rangeOf(letter);
  }
}

function readUnicodeEscape(reader: PatternReader): number {
  if (reader.take("{")) {
    const digits = reader.until("}");
    const code = /^[0-9a-f]{1,8}$/i.test(digits) ? parseInt(digits, 16) : Infinity;
    if (code > 0x10ffff) throw new NotReadable();
    return code;
  }
  const unit = readHex(reader, 4);
  const isHigh = unit >= 0xd800 && unit <= 0xdbff;
  if (!isHigh || reader.peek() !== "\\" || reader.peek(1) !== "u" || reader.peek(2) === "{") return unit;
  const start = reader.position;
  reader.advance(2);
  const low = readHex(reader, 4);
  if (low >= 0xdc00 && low <= 0xdfff) return (unit - 0xd800) * 0x400 + (low - 0xdc00) + 0x10000;
  reader.returnTo(start);
  return unit;
}

function readHex(reader: PatternReader, length: number): number {
  let digits = "";
  while (digits.length < length) digits += reader.next();
  if (!/^[0-9a-f]+$/i.test(digits)) throw new NotReadable();
  return parseInt(digits, 16);
}

function at(code: number): readonly CodePointRange[] {
  return [[code, code]];
}

export function rangeOf(character: string): readonly CodePointRange[] {
  return at(character.codePointAt(0) ?? 0);
}

function single(ranges: readonly CodePointRange[]): number | undefined {
  const [range] = ranges;
  return ranges.length === 1 && range !== undefined && range[0] === range[1] ? range[0] : undefined;
}

/** @throws NotReadable for an empty set, which matches no text */
export function textOnly(ranges: readonly CodePointRange[]): readonly CodePointRange[] {
  if (CHECKED.has(ranges)) return ranges;
  const inText = intersection(union(ranges), ANY);
  if (inText.length === 0) throw new NotReadable();
  return inText;
}
