import { type CodePointRange, complement, intersection } from "./code-points.ts";
import {
  MAX_PATTERN_LENGTH,
  MAX_PATTERN_POSITIONS,
  MAX_REPETITIONS,
  PATTERN_VISITS_PER_STEP,
} from "../limits/grammar-limits.ts";
import { ambiguityOf } from "./ambiguity.ts";
import { MAX_NODES, TooManyNodes, toNormalForm } from "./normal-form.ts";
import { type PatternNode, parsePattern } from "./parser.ts";

interface PatternRewrite {
  /** Undefined for a pattern that cannot be parsed, or is too large for a grammar. */
  readonly rewritten: RewrittenPattern | undefined;
  /** Steps that this took, even if the result is from the cache. */
  readonly steps: number;
}

export interface RewrittenPattern {
  /** A pattern that `_visit_pattern` of llama.cpp understands. ASCII only. */
  readonly pattern: string;
  /** False if it matches more than the original. */
  readonly exact: boolean;
  /** Number of counted repetitions; each becomes a rule of the grammar. */
  readonly counted: number;
  /** Total number of elements in their rules. */
  readonly elements: number;
}

/**
 * Rewrites a pattern for llama.cpp, so that it matches the text inside a JSON string, in which some characters are
 * escaped. Matches at least what the original matches.
 */
export function rewritePattern(source: string): PatternRewrite {
  if (source.length > MAX_PATTERN_LENGTH) return { rewritten: undefined, steps: 1 };
  let result = known.get(source);
  if (result === undefined) {
    result = rewrite(source);
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(source, result);
  }
  return result;
}

/** Clients' libraries generate few different patterns. */
const MAX_KNOWN = 256;
const known = new Map<string, PatternRewrite>();

function rewrite(source: string): PatternRewrite {
  const steps = (visits: number): number => 1 + source.length + visits / PATTERN_VISITS_PER_STEP;
  const parsed = parsePattern(source);
  if (parsed === undefined) return { rewritten: undefined, steps: steps(0) };
  try {
    const normal = toNormalForm(parsed.node);
    const bounded = bound(normal.node);
    const visits = normal.visits + bounded.visits;
    if (bounded.node === undefined) return { rewritten: undefined, steps: steps(visits) };
    const writer = new PatternWriter();
    const pattern = `^${writer.write(bounded.node)}$`;
    const exact = parsed.exact && normal.exact && sameText(bounded.node, normal.node);
    const { counted, elements } = writer;
    return { rewritten: { pattern, exact, counted, elements }, steps: steps(visits) };
  } catch (thrown) {
    if (thrown instanceof TooManyNodes) return { rewritten: undefined, steps: steps(MAX_NODES) };
    throw thrown;
  }
}

interface Bounded {
  /** Undefined if the runner cannot handle the pattern. */
  readonly node: PatternNode | undefined;
  /** Positions and edges visited for it. */
  readonly visits: number;
}

/** Relaxes repetitions that the runner cannot count, or that together allow too many positions. */
function bound(node: PatternNode): Bounded {
  const clamped = loosen(node, ({ min, max }) => [
    Math.min(min, MAX_REPETITIONS),
    max > MAX_REPETITIONS ? Infinity : max,
  ]);
  const uncounted = (_node: Repeat, depth: number, [min, max]: Bounds): Bounds =>
    depth > 0 && max > 1 ? [Math.min(min, 1), Infinity] : [min, max];
  const variants = [
    clamped,
    loosen(clamped, (repeat, depth) => uncounted(repeat, depth, [repeat.min, repeat.max])),
    loosen(clamped, ({ min, max }) => (max > 1 ? [Math.min(min, 1), Infinity] : [min, max])),
  ];
  let visits = 0;
  const fitting = variants.find((variant) => {
    if (positions(variant) > MAX_PATTERN_POSITIONS) return false;
    const ambiguity = ambiguityOf(variant);
    visits += ambiguity.visits;
    return !ambiguity.isTooHigh;
  });
  return { node: fitting, visits };
}

type Repeat = Extract<PatternNode, { kind: "repeat" }>;
type Bounds = readonly [min: number, max: number];

/** @param bounds receives the number of repetitions around each bounded one */
function loosen(
  node: PatternNode,
  bounds: (repeat: Repeat, depth: number) => Bounds,
  depth = 0,
): PatternNode {
  switch (node.kind) {
    case "set":
    case "start":
    case "end":
      return node;
    case "sequence":
      return { kind: "sequence", items: node.items.map((item) => loosen(item, bounds, depth)) };
    case "choice":
      return {
        kind: "choice",
        alternatives: node.alternatives.map((alternative) => loosen(alternative, bounds, depth)),
      };
    case "repeat": {
      const [min, max] = bounds(node, depth);
      const item = loosen(node.item, bounds, node.max > 1 ? depth + 1 : depth);
      return { kind: "repeat", item, min, max };
    }
  }
}

/** Number of positions with all repetitions expanded. */
function positions(node: PatternNode): number {
  switch (node.kind) {
    case "set":
      return 1;
    case "start":
    case "end":
      return 0;
    case "sequence":
      return node.items.reduce((sum, item) => sum + positions(item), 0);
    case "choice":
      return node.alternatives.reduce((sum, alternative) => sum + positions(alternative), 0);
    case "repeat":
      return positions(node.item) * (node.max === Infinity ? node.min + 1 : node.max);
  }
}

function sameText(left: PatternNode, right: PatternNode): boolean {
  return new PatternWriter().write(left) === new PatternWriter().write(right);
}

const CONTROLS: readonly CodePointRange[] = [[0, 0x1f]];
/** Characters that must be escaped in a JSON string. */
const ESCAPED: readonly CodePointRange[] = [...CONTROLS, [0x22, 0x22], [0x5c, 0x5c]];
const UNESCAPED = complement(ESCAPED);

/** JSON's short escapes by code point, themselves escaped where a character class requires it. */
const SHORT_ESCAPES: readonly (readonly [code: number, letter: string])[] = [
  [0x22, '"'],
  [0x5c, "\\\\"],
  [0x08, "b"],
  [0x0c, "f"],
  [0x0a, "n"],
  [0x0d, "r"],
  [0x09, "t"],
];

const PLAIN = /^[A-Za-z0-9 _@:;,=~%&#'<>!/`-]$/;

interface WrittenSet {
  readonly text: string;
  readonly elements: number;
}

/** Sets as written: each is written several times, and the same class escapes occur often. */
const writtenSets = new WeakMap<readonly CodePointRange[], WrittenSet>();

function writeSet(ranges: readonly CodePointRange[]): WrittenSet {
  const known = writtenSets.get(ranges);
  if (known !== undefined) return known;
  const written = setText(ranges);
  writtenSets.set(ranges, written);
  return written;
}

function setText(ranges: readonly CodePointRange[]): WrittenSet {
  const unescaped = intersection(ranges, UNESCAPED);
  const escaped = intersection(ranges, ESCAPED);
  const elements = 2 * unescaped.length + 1;
  if (escaped.length === 0) return { text: writeClass(unescaped), elements };
  const has = (code: number): boolean => escaped.some(([first, last]) => first <= code && code <= last);
  const short = SHORT_ESCAPES.filter(([code]) => has(code));
  // Other control characters need the long escape; matching only one of them would make the grammar too large.
  const needsLong = escaped.some(
    ([first, last]) =>
      first <= 0x1f && last - first + 1 > short.filter(([code]) => first <= code && code <= last).length,
  );
  const after = [
    ...(short.length > 0 ? [`[${short.map(([, letter]) => letter).join("")}]`] : []),
    ...(needsLong ? ["u00[01][0-9a-fA-F]"] : []),
  ];
  const escape = `[\\\\](${after.join("|")})`;
  const text = unescaped.length === 0 ? `(${escape})` : `(${writeClass(unescaped)}|${escape})`;
  return { text, elements: elements + 16 };
}

class PatternWriter {
  counted = 0;
  elements = 0;

  write(node: PatternNode): string {
    switch (node.kind) {
      case "set":
        return this.#set(node.ranges);
      case "start":
      case "end":
        return "";
      case "sequence":
        return node.items.map((item) => this.write(item)).join("");
      case "choice":
        return `(${node.alternatives.map((alternative) => this.write(alternative)).join("|")})`;
      case "repeat":
        return this.#repeat(node);
    }
  }

  #repeat({ item, min, max }: Repeat): string {
    const written = this.write(item);
    const unit = item.kind === "choice" || item.kind === "set" ? written : `(${written})`;
    if (max === 1) return `${unit}?`;
    if (max === Infinity && min <= 1) return `${unit}${min === 0 ? "*" : "+"}`;
    this.counted += 1;
    this.elements += max === Infinity ? min : 4 * max;
    return max === Infinity ? `${unit}{${min},}` : `${unit}{${min === max ? min : `${min},${max}`}}`;
  }

  #set(ranges: readonly CodePointRange[]): string {
    const { text, elements } = writeSet(ranges);
    this.elements += elements;
    return text;
  }
}

function writeClass(ranges: readonly CodePointRange[]): string {
  const [only] = ranges;
  if (ranges.length === 1 && only !== undefined && only[0] === only[1]) {
    const character = String.fromCodePoint(only[0]);
    if (PLAIN.test(character)) return character;
  }
  if (JSON.stringify(ranges) === JSON.stringify(UNESCAPED)) return '[^"\\\\\\x00-\\x1F]';
  return `[${ranges.map(writeRange).join("")}]`;
}

function writeRange([first, last]: CodePointRange): string {
  if (first === last) return writeCodePoint(first);
  return `${writeCodePoint(first)}-${writeCodePoint(last)}`;
}

/** Uses the escapes of llama.cpp's grammars, which differ from those of regular expressions. */
function writeCodePoint(code: number): string {
  const character = String.fromCodePoint(code);
  if (/^[A-Za-z0-9]$/.test(character)) return character;
  const hex = code.toString(16).toUpperCase();
  if (code <= 0xff) return `\\x${hex.padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}
