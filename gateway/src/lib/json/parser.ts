import { exactNumber } from "./exact-numbers.ts";
import {
  JsonLimitError,
  type JsonLimit,
  MAX_DEPTH,
  MAX_ELEMENTS,
  MAX_KEYS,
  MAX_KEY_BYTES,
  MAX_NUMBER_LENGTH,
  MAX_VALUES,
} from "./limits.ts";
import type { JsonPath } from "./path.ts";
import { JsonSyntaxError } from "./syntax-error.ts";
import { decodeString, endOfCharacters, isWordByte } from "./tokens.ts";

type JsonObject = Record<string, unknown>;
type Container = unknown[] | JsonObject;

const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

// Parser states: what may come next.
const VALUE = 0;
const VALUE_OR_CLOSE = 1;
const KEY = 2;
const KEY_OR_CLOSE = 3;
const COLON_NEXT = 4;
const COMMA_OR_CLOSE = 5;
const END = 6;

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const NUMBER_START = /[-\d]/;
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/**
 * An incremental JSON parser that never blocks the event loop for long and stops at the first exceeded limit. Returns
 * what `JSON.parse` does, except that large integers stay exact (see `exact-numbers.ts`), and numbers beyond a double
 * and `__proto__` keys are rejected.
 */
export class JsonParser {
  #root: unknown;
  #next = VALUE;
  #values = 0;
  readonly #maxValues: number;
  #isAtStart = true;
  /** The innermost open container, and its ancestors, outermost first. */
  #open: Container | undefined;
  readonly #outer: Container[] = [];
  /** For each open object, the current key and the number of keys so far. */
  readonly #keys: string[] = [];
  readonly #counts: number[] = [];
  #depth = 0;
  /** Text of an incomplete string; undefined outside of strings. */
  #string: string | undefined;
  #stringBytes = 0;
  /** Beginning of an incomplete token. */
  #carry: Buffer | undefined;

  constructor(maxValues = MAX_VALUES) {
    this.#maxValues = maxValues;
  }

  /** Number of values parsed so far. */
  get values(): number {
    return this.#values;
  }

  /** @throws JsonLimitError | JsonSyntaxError */
  push(chunk: Buffer): void {
    const bytes = this.#carry === undefined ? chunk : Buffer.concat([this.#carry, chunk]);
    this.#carry = undefined;
    let at = 0;
    if (this.#isAtStart) {
      at = this.#skipMark(bytes);
      if (at === -1) return;
    }
    if (this.#string !== undefined) at = this.#readString(bytes, 0);
    while (at < bytes.length) {
      switch (bytes[at] ?? 0) {
        case SPACE:
        case LINE_FEED:
        case CARRIAGE_RETURN:
        case TAB:
          break;
        case QUOTE:
          if (this.#next > KEY_OR_CLOSE) throw this.#unexpected();
          this.#string = "";
          this.#stringBytes = 0;
          at = this.#readString(bytes, at + 1);
          continue;
        case OPEN_BRACE:
          this.#enter({});
          this.#next = KEY_OR_CLOSE;
          break;
        case OPEN_BRACKET:
          this.#enter([]);
          this.#next = VALUE_OR_CLOSE;
          break;
        case CLOSE_BRACE:
          if (Array.isArray(this.#open) || this.#next === KEY) throw this.#unexpected();
          this.#leave(KEY_OR_CLOSE);
          break;
        case CLOSE_BRACKET:
          if (!Array.isArray(this.#open) || this.#next === VALUE) throw this.#unexpected();
          this.#leave(VALUE_OR_CLOSE);
          break;
        case COMMA:
          if (this.#next !== COMMA_OR_CLOSE) throw this.#unexpected();
          this.#next = Array.isArray(this.#open) ? VALUE : KEY;
          break;
        case COLON:
          if (this.#next !== COLON_NEXT) throw this.#unexpected();
          this.#next = VALUE;
          break;
        default:
          at = this.#readWord(bytes, at);
          continue;
      }
      at += 1;
    }
  }

  /**
   * Returns the value after the last chunk.
   *
   * @throws JsonLimitError | JsonSyntaxError
   */
  end(): unknown {
    // A number may end with the text.
    if (this.#string === undefined && this.#carry !== undefined) this.push(Buffer.from(" "));
    if (this.#next !== END) throw new JsonSyntaxError("the text ends too early");
    return this.#root;
  }

  /** @returns index of the text after a byte order mark; -1 if not known yet */
  #skipMark(bytes: Buffer): number {
    const { length } = BYTE_ORDER_MARK;
    if (bytes.length < length && BYTE_ORDER_MARK.subarray(0, bytes.length).equals(bytes)) {
      this.#carry = bytes;
      return -1;
    }
    this.#isAtStart = false;
    return BYTE_ORDER_MARK.equals(bytes.subarray(0, length)) ? length : 0;
  }

  /**
   * @param start index inside a string
   * @returns the index after it; an incomplete part is kept
   */
  #readString(bytes: Buffer, start: number): number {
    const { length } = bytes;
    let at = start;
    let seen = 0;
    let lastEscape = -1;
    for (; at < length; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte === QUOTE) break;
      if (byte === BACKSLASH) {
        lastEscape = at;
        // Skip the escaped character.
        at += 1;
      } else if (byte < SPACE) throw new JsonSyntaxError("a control character in a string");
      seen |= byte;
    }
    const isComplete = at < length;
    const end = isComplete ? at : endOfCharacters(bytes, start, lastEscape);
    this.#stringBytes += end - start;
    const isKey = this.#next === KEY || this.#next === KEY_OR_CLOSE;
    if (isKey && this.#stringBytes > MAX_KEY_BYTES) throw this.#exceeded("key", this.#pathOfOpen());
    const part = decodeString(bytes, start, end, seen, lastEscape !== -1);
    const text = this.#string === "" ? part : (this.#string ?? "") + part;
    if (!isComplete) {
      this.#string = text;
      if (end < length) this.#carry = Buffer.from(bytes.subarray(end));
      return length;
    }
    this.#string = undefined;
    if (isKey) this.#addKey(text);
    else this.#add(text);
    return at + 1;
  }

  /** Parses a number, true, false or null. */
  #readWord(bytes: Buffer, start: number): number {
    if (this.#next > VALUE_OR_CLOSE) throw this.#unexpected();
    const { length } = bytes;
    let end = start;
    while (end < length && isWordByte(bytes[end] ?? 0)) end += 1;
    if (end === start) throw this.#unexpected();
    if (end - start > MAX_NUMBER_LENGTH) {
      throw NUMBER_START.test(bytes.toString("latin1", start, start + 1))
        ? this.#exceeded("number", this.#pathOfNext())
        : this.#unexpected();
    }
    if (end === length) {
      this.#carry = Buffer.from(bytes.subarray(start));
      return length;
    }
    const word = bytes.toString("latin1", start, end);
    this.#add(this.#valueOf(word));
    return end;
  }

  #valueOf(word: string): unknown {
    switch (word) {
      case "true":
        return true;
      case "false":
        return false;
      case "null":
        return null;
    }
    if (!NUMBER.test(word)) throw this.#unexpected();
    const value = exactNumber(word);
    if (value === Infinity || value === -Infinity) throw this.#exceeded("range", this.#pathOfNext());
    return value;
  }

  #addKey(key: string): void {
    const level = this.#depth - 1;
    this.#keys[level] = key;
    if (key === "__proto__") throw this.#exceeded("prototype", this.#pathOfNext());
    const count = (this.#counts[level] ?? 0) + 1;
    if (count > MAX_KEYS) throw this.#exceeded("keys", this.#pathOfOpen());
    this.#counts[level] = count;
    this.#next = COLON_NEXT;
  }

  #add(value: unknown): void {
    if (this.#next > VALUE_OR_CLOSE) throw this.#unexpected();
    this.#values += 1;
    if (this.#values > this.#maxValues) throw this.#exceeded("values", this.#pathOfNext());
    const open = this.#open;
    this.#next = COMMA_OR_CLOSE;
    if (open === undefined) {
      this.#root = value;
      this.#next = END;
    } else if (Array.isArray(open)) {
      if (open.length >= MAX_ELEMENTS) throw this.#exceeded("elements", this.#pathOfOpen());
      open.push(value);
    } else {
      open[this.#keys[this.#depth - 1] ?? ""] = value;
    }
  }

  #enter(container: Container): void {
    if (this.#depth >= MAX_DEPTH) throw this.#exceeded("depth", this.#pathOfNext());
    this.#add(container);
    if (this.#open !== undefined) this.#outer.push(this.#open);
    this.#open = container;
    this.#counts[this.#depth] = 0;
    this.#depth += 1;
  }

  /** @param empty the state that allows an empty container */
  #leave(empty: number): void {
    if (this.#open === undefined || (this.#next !== empty && this.#next !== COMMA_OR_CLOSE)) {
      throw this.#unexpected();
    }
    this.#open = this.#outer.pop();
    this.#depth -= 1;
    this.#next = this.#open === undefined ? END : COMMA_OR_CLOSE;
  }

  #unexpected(): JsonSyntaxError {
    return new JsonSyntaxError("an unexpected character");
  }

  #exceeded(limit: JsonLimit, path: JsonPath): JsonLimitError {
    return new JsonLimitError(limit, path);
  }

  /** Path of the open container. */
  #pathOfOpen(): JsonPath {
    return this.#outer.map((outer, level) =>
      Array.isArray(outer) ? outer.length - 1 : (this.#keys[level] ?? ""),
    );
  }

  /** Path of the next value. */
  #pathOfNext(): JsonPath {
    if (this.#open === undefined) return [];
    const last = Array.isArray(this.#open) ? this.#open.length : (this.#keys[this.#depth - 1] ?? "");
    return [...this.#pathOfOpen(), last];
  }
}
