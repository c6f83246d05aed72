import { readClass, readEscapedSet, rangeOf, textOnly } from "./character-sets.ts";
import { ANY, type CodePointRange, LINE_ENDS, complement } from "./code-points.ts";
import { NotReadable, PatternReader, isDigit } from "./reader.ts";

/** A regular expression without captures. */
export type PatternNode =
  | { readonly kind: "set"; readonly ranges: readonly CodePointRange[] }
  | { readonly kind: "sequence"; readonly items: readonly PatternNode[] }
  | { readonly kind: "choice"; readonly alternatives: readonly PatternNode[] }
  | { readonly kind: "repeat"; readonly item: PatternNode; readonly min: number; readonly max: number }
  | { readonly kind: "start" }
  | { readonly kind: "end" };

interface ParsedPattern {
  readonly node: PatternNode;
  /** False if an assertion or property was dropped, so that `node` matches more than the pattern. */
  readonly exact: boolean;
}

const MAX_GROUP_DEPTH = 32;

export const EMPTY: PatternNode = { kind: "sequence", items: [] };
export const ANY_TEXT: PatternNode = {
  kind: "repeat",
  item: { kind: "set", ranges: ANY },
  min: 0,
  max: Infinity,
};

/**
 * Parses a pattern of a JSON Schema: ECMA-262 with the flag `u`, and common syntax of Python and Rust. Assertions
 * (lookarounds, `\b`) and back-references only narrow a match, so they are dropped.
 *
 * @returns undefined for an invalid pattern, or one of another dialect
 */
export function parsePattern(source: string): ParsedPattern | undefined {
  const reader = new PatternReader(source);
  try {
    const node = new PatternParser(reader).parse();
    return { node, exact: reader.exact };
  } catch (thrown) {
    if (thrown instanceof NotReadable) return undefined;
    throw thrown;
  }
}

class PatternParser {
  readonly #reader: PatternReader;
  #depth = 0;

  constructor(reader: PatternReader) {
    this.#reader = reader;
  }

  parse(): PatternNode {
    const node = this.#choice();
    if (!this.#reader.isAtEnd) throw new NotReadable();
    return node;
  }

  #choice(): PatternNode {
    const alternatives = [this.#sequence()];
    while (this.#reader.take("|")) alternatives.push(this.#sequence());
    return alternatives.length === 1 ? (alternatives[0] ?? EMPTY) : { kind: "choice", alternatives };
  }

  #sequence(): PatternNode {
    const items: PatternNode[] = [];
    while (!this.#reader.isAtEnd && this.#reader.peek() !== "|" && this.#reader.peek() !== ")") {
      items.push(this.#quantified(this.#atom()));
    }
    return items.length === 1 ? (items[0] ?? EMPTY) : { kind: "sequence", items };
  }

  #atom(): PatternNode {
    const character = this.#reader.next();
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
        return { kind: "set", ranges: readClass(this.#reader) };
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
    if (!this.#reader.take(")")) throw new NotReadable();
    this.#depth -= 1;
    if (!isAssertion) return inner;
    this.#reader.exact = false;
    return EMPTY;
  }

  /** @returns whether the group is an assertion */
  #groupPrefix(): boolean {
    if (!this.#reader.take("?")) return false;
    if (this.#reader.take(":")) return false;
    if (this.#reader.take("=") || this.#reader.take("!")) return true;
    // Python's syntax for named groups.
    this.#reader.take("P");
    if (!this.#reader.take("<")) throw new NotReadable();
    if (this.#reader.take("=") || this.#reader.take("!")) return true;
    const name = this.#reader.until(">");
    if (!/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name)) throw new NotReadable();
    return false;
  }

  #escape(): PatternNode {
    const next = this.#reader.peek();
    if (next === "b" || next === "B") {
      this.#reader.advance(1);
      this.#reader.exact = false;
      return EMPTY;
    }
    if (next === "A" || next === "Z" || next === "z") {
      this.#reader.advance(1);
      return { kind: next === "A" ? "start" : "end" };
    }
    if (next === "k" || (next >= "1" && next <= "9")) return this.#backReference();
    return { kind: "set", ranges: textOnly(readEscapedSet(this.#reader)) };
  }

  /** Matches any text, as the group could have. */
  #backReference(): PatternNode {
    if (this.#reader.next() === "k") {
      if (!this.#reader.take("<")) throw new NotReadable();
      this.#reader.until(">");
    } else {
      while (isDigit(this.#reader.peek())) this.#reader.advance(1);
    }
    this.#reader.exact = false;
    return ANY_TEXT;
  }

  #quantified(atom: PatternNode): PatternNode {
    let item = atom;
    for (;;) {
      const bounds = this.#quantifier();
      if (bounds === undefined) return item;
      // Laziness does not change what matches.
      this.#reader.take("?");
      const [min, max] = bounds;
      if (max < min) throw new NotReadable();
      if (item.kind === "start" || item.kind === "end") {
        this.#reader.exact = false;
        item = EMPTY;
      }
      item = { kind: "repeat", item, min, max };
    }
  }

  #quantifier(): readonly [number, number] | undefined {
    if (this.#reader.take("*")) return [0, Infinity];
    if (this.#reader.take("+")) return [1, Infinity];
    if (this.#reader.take("?")) return [0, 1];
    if (this.#reader.peek() !== "{") return undefined;
    const rest = this.#reader.peekText(24);
    const counted = /^\{(\d*)(,?)(\d*)\}/.exec(rest);
    if (counted === null || (counted[1] === "" && counted[3] === "")) return undefined;
    const [match, min = "", comma, max = ""] = counted;
    this.#reader.advance(match.length);
    return [Number(min), comma === "" ? Number(min) : max === "" ? Infinity : Number(max)];
  }
}

function literal(character: string): PatternNode {
  return { kind: "set", ranges: textOnly(rangeOf(character)) };
}
