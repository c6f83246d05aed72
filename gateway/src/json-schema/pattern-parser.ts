import {
  ANY,
  type CodePointRange,
  DIGITS,
  LINE_ENDS,
  SPACE,
  WORD,
  complement,
  intersection,
  union,
} from "./code-points.ts";

/** A regular expression, as far as it says which texts it matches. Which group captures what is not kept. */
export type PatternNode =
  | { readonly kind: "set"; readonly ranges: readonly CodePointRange[] }
  | { readonly kind: "sequence"; readonly items: readonly PatternNode[] }
  | { readonly kind: "choice"; readonly alternatives: readonly PatternNode[] }
  | { readonly kind: "repeat"; readonly item: PatternNode; readonly min: number; readonly max: number }
  | { readonly kind: "start" }
  | { readonly kind: "end" };

export interface ParsedPattern {
  readonly node: PatternNode;
  /** False when an assertion or a property was left out, so that `node` matches more than the pattern. */
  readonly exact: boolean;
}

/** Patterns longer than this are not read. */
const MAX_PATTERN_LENGTH = 2048;
const MAX_GROUP_DEPTH = 32;

export const EMPTY: PatternNode = { kind: "sequence", items: [] };
export const ANY_TEXT: PatternNode = {
  kind: "repeat",
  item: { kind: "set", ranges: ANY },
  min: 0,
  max: Infinity,
};

/**
 * Reads a pattern of a JSON Schema: ECMA-262 with the flag `u`, and what Python and Rust write differently. Assertions
 * (lookarounds, `\b`) and back-references only narrow what matches, so they are left out.
 *
 * @returns undefined for what is no regular expression, or one of another dialect
 */
export function parsePattern(source: string): ParsedPattern | undefined {
  if (source.length > MAX_PATTERN_LENGTH) return undefined;
  const parser = new PatternParser(source);
  try {
    return { node: parser.parse(), exact: parser.exact };
  } catch (thrown) {
    if (thrown instanceof NotReadable) return undefined;
    throw thrown;
  }
}

class NotReadable extends Error {}

const CONTROL_ESCAPES: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 };

const CLASS_ESCAPES: Readonly<Record<string, readonly CodePointRange[]>> = {
  d: DIGITS,
  D: complement(DIGITS),
  w: WORD,
  W: complement(WORD),
  s: SPACE,
  S: complement(SPACE),
};

class PatternParser {
  exact = true;
  readonly #text: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#text = Array.from(source);
  }

  parse(): PatternNode {
    const node = this.#choice();
    if (this.#at < this.#text.length) throw new NotReadable();
    return node;
  }

  #choice(): PatternNode {
    const alternatives = [this.#sequence()];
    while (this.#take("|")) alternatives.push(this.#sequence());
    return alternatives.length === 1 ? (alternatives[0] ?? EMPTY) : { kind: "choice", alternatives };
  }

  #sequence(): PatternNode {
    const items: PatternNode[] = [];
    while (this.#at < this.#text.length && this.#peek() !== "|" && this.#peek() !== ")") {
      items.push(this.#quantified(this.#atom()));
    }
    return items.length === 1 ? (items[0] ?? EMPTY) : { kind: "sequence", items };
  }

  #atom(): PatternNode {
    const character = this.#next();
    switch (character) {
      case "^":
        return { kind: "start" };
      case "$":
        return { kind: "end" };
      case ".":
        return { kind: "set", ranges: complement(LINE_ENDS) };
      case "(":
        return this.#group();
      case "[":
        return this.#class();
      case "\\":
        return this.#escape();
      case "*":
      case "+":
      case "?":
        throw new NotReadable();
      default:
        return literal(character);
    }
  }

  #group(): PatternNode {
    if (++this.#depth > MAX_GROUP_DEPTH) throw new NotReadable();
    const isAssertion = this.#groupPrefix();
    const inner = this.#choice();
    if (!this.#take(")")) throw new NotReadable();
    this.#depth -= 1;
    if (!isAssertion) return inner;
    this.exact = false;
    return EMPTY;
  }

  /** @returns whether the group is an assertion */
  #groupPrefix(): boolean {
    if (!this.#take("?")) return false;
    if (this.#take(":")) return false;
    if (this.#take("=") || this.#take("!")) return true;
    // Python's way to name a group.
    this.#take("P");
    if (!this.#take("<")) throw new NotReadable();
    if (this.#take("=") || this.#take("!")) return true;
    let name = "";
    while (this.#peek() !== ">") name += this.#next();
    this.#at += 1;
    if (!/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name)) throw new NotReadable();
    return false;
  }

  #escape(): PatternNode {
    const next = this.#peek();
    if (next === "b" || next === "B") {
      this.#at += 1;
      this.exact = false;
      return EMPTY;
    }
    if (next === "A" || next === "Z" || next === "z") {
      this.#at += 1;
      return { kind: next === "A" ? "start" : "end" };
    }
    if (next === "k" || (next >= "1" && next <= "9")) return this.#backReference();
    return { kind: "set", ranges: textOnly(this.#escapedSet()) };
  }

  /** What the group matched, which is some text. */
  #backReference(): PatternNode {
    if (this.#next() === "k") {
      if (!this.#take("<")) throw new NotReadable();
      while (this.#next() !== ">");
    } else {
      while (isDigit(this.#peek())) this.#at += 1;
    }
    this.exact = false;
    return ANY_TEXT;
  }

  #class(): PatternNode {
    const isNegated = this.#take("^");
    const ranges: CodePointRange[] = [];
    while (!this.#take("]")) {
      const from = this.#classMember();
      const isRange = this.#peek() === "-" && this.#peek(1) !== "]" && this.#peek(1) !== "";
      if (!isRange) {
        ranges.push(...from);
        continue;
      }
      this.#at += 1;
      const to = this.#classMember();
      const first = single(from);
      const last = single(to);
      if (first === undefined || last === undefined) {
        // No range: the hyphen stands for itself.
        ranges.push(...from, [0x2d, 0x2d], ...to);
      } else if (last < first) {
        throw new NotReadable();
      } else {
        ranges.push([first, last]);
      }
    }
    return { kind: "set", ranges: textOnly(isNegated ? complement(ranges) : ranges) };
  }

  #classMember(): readonly CodePointRange[] {
    const character = this.#next();
    if (character === "[" && (this.#peek() === ":" || this.#peek() === ".")) throw new NotReadable();
    if (character !== "\\") return rangeOf(character);
    if (this.#take("b")) return [[8, 8]];
    return this.#escapedSet();
  }

  #escapedSet(): readonly CodePointRange[] {
    const letter = this.#next();
    const known = CLASS_ESCAPES[letter];
    if (known !== undefined) return known;
    const control = CONTROL_ESCAPES[letter];
    if (control !== undefined) return [[control, control]];
    switch (letter) {
      case "0":
        if (isDigit(this.#peek())) throw new NotReadable();
        return [[0, 0]];
      case "x":
        return at(this.#hex(2));
      case "u":
        return at(this.#unicodeEscape());
      case "c": {
        const code = this.#next().charCodeAt(0);
        return at(code % 32);
      }
      case "p":
      case "P":
        if (this.#next() !== "{") throw new NotReadable();
        while (this.#next() !== "}");
        this.exact = false;
        return ANY;
      default:
        if (/[A-Za-z0-9]/.test(letter)) throw new NotReadable();
        return rangeOf(letter);
    }
  }

  #unicodeEscape(): number {
    if (this.#take("{")) {
      let digits = "";
      while (this.#peek() !== "}") digits += this.#next();
      this.#at += 1;
      const code = /^[0-9a-f]{1,8}$/i.test(digits) ? parseInt(digits, 16) : Infinity;
      if (code > 0x10ffff) throw new NotReadable();
      return code;
    }
    const unit = this.#hex(4);
    const isHigh = unit >= 0xd800 && unit <= 0xdbff;
    if (!isHigh || this.#peek() !== "\\" || this.#peek(1) !== "u" || this.#peek(2) === "{") return unit;
    const start = this.#at;
    this.#at += 2;
    const low = this.#hex(4);
    if (low >= 0xdc00 && low <= 0xdfff) return (unit - 0xd800) * 0x400 + (low - 0xdc00) + 0x10000;
    this.#at = start;
    return unit;
  }

  #hex(length: number): number {
    let digits = "";
    while (digits.length < length) digits += this.#next();
    if (!/^[0-9a-f]+$/i.test(digits)) throw new NotReadable();
    return parseInt(digits, 16);
  }

  #quantified(atom: PatternNode): PatternNode {
    let item = atom;
    for (;;) {
      const bounds = this.#quantifier();
      if (bounds === undefined) return item;
      // Lazy or not makes no difference to what matches.
      this.#take("?");
      const [min, max] = bounds;
      if (max < min) throw new NotReadable();
      if (item.kind === "start" || item.kind === "end") {
        this.exact = false;
        item = EMPTY;
      }
      item = { kind: "repeat", item, min, max };
    }
  }

  #quantifier(): readonly [number, number] | undefined {
    if (this.#take("*")) return [0, Infinity];
    if (this.#take("+")) return [1, Infinity];
    if (this.#take("?")) return [0, 1];
    if (this.#peek() !== "{") return undefined;
    const rest = this.#text.slice(this.#at, this.#at + 24).join("");
    const counted = /^\{(\d*)(,?)(\d*)\}/.exec(rest);
    if (counted === null || (counted[1] === "" && counted[3] === "")) return undefined;
    const [whole, min = "", comma, max = ""] = counted;
    this.#at += whole.length;
    return [Number(min), comma === "" ? Number(min) : max === "" ? Infinity : Number(max)];
  }

  #peek(ahead = 0): string {
    return this.#text[this.#at + ahead] ?? "";
  }

  #next(): string {
    const character = this.#text[this.#at++];
    if (character === undefined) throw new NotReadable();
    return character;
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }
}

function isDigit(character: string): boolean {
  return character >= "0" && character <= "9";
}

function at(code: number): readonly CodePointRange[] {
  return [[code, code]];
}

function rangeOf(character: string): readonly CodePointRange[] {
  return at(character.codePointAt(0) ?? 0);
}

function literal(character: string): PatternNode {
  return { kind: "set", ranges: textOnly(rangeOf(character)) };
}

function single(ranges: readonly CodePointRange[]): number | undefined {
  const [range] = ranges;
  return ranges.length === 1 && range !== undefined && range[0] === range[1] ? range[0] : undefined;
}

/** @throws NotReadable when nothing is left: such a set matches no text at all */
function textOnly(ranges: readonly CodePointRange[]): readonly CodePointRange[] {
  const inText = intersection(union(ranges), ANY);
  if (inText.length === 0) throw new NotReadable();
  return inText;
}
