import { toDouble } from "../../lib/json/exact-numbers.ts";
import {
  BOUND_BYTES,
  MAX_INTEGER,
  MAX_ONE_SIDED_MINIMUM,
  MAX_WRITTEN_INTEGER,
} from "../limits/grammar-limits.ts";
import { type JsonSchema, type Position, inside, invalidSchema, quoted } from "../limits/position.ts";
import { type SafeNode, literalNode } from "../limits/safe-node.ts";
import type { WalkContext } from "./walk-context.ts";

/** Both inclusive; infinite for none. */
interface Range {
  readonly min: number;
  readonly max: number;
}

/** An integer, with bounds that `_build_min_max_int` writes correctly. */
export function visitInteger(walk: WalkContext, schema: JsonSchema, at: Position): SafeNode {
  const requested = readRange(schema, at);
  if (requested.min > requested.max) {
    throw invalidSchema(at, "no integer is within its minimum and maximum", "Correct one of the two");
  }
  const { min, max } = affordable(walk, writable(requested));
  walk.budget.addBytes(112 + boundBytes({ min, max }), at);
  walk.ignoreOthers(schema, at, "integer", [
    ...(min >= requested.min || requested.min <= -MAX_INTEGER ? ["minimum", "exclusiveMinimum"] : []),
    ...(max <= requested.max || requested.max >= MAX_INTEGER ? ["maximum", "exclusiveMaximum"] : []),
  ]);
  return literalNode(
    {
      type: "integer",
      ...(min === -Infinity ? {} : { minimum: min }),
      ...(max === Infinity ? {} : { maximum: max }),
    },
    4,
  );
}

function readRange(schema: JsonSchema, at: Position): Range {
  return {
    min: Math.max(
      Math.ceil(boundOf(schema, "minimum", at) ?? -Infinity),
      Math.floor(boundOf(schema, "exclusiveMinimum", at) ?? -Infinity) + 1,
    ),
    max: Math.min(
      Math.floor(boundOf(schema, "maximum", at) ?? Infinity),
      Math.ceil(boundOf(schema, "exclusiveMaximum", at) ?? Infinity) - 1,
    ),
  };
}

/**
 * Drops the bounds of 64-bit integers and of JavaScript's safe ones, which exclude nothing that a model should write
 * but take kilobytes of grammar. If the converter writes the other bound correctly only as one of two, adds a bound
 * that every integer of a grammar has.
 */
function writable({ min, max }: Range): Range {
  const hasMin = Math.abs(min) < MAX_INTEGER || min === MAX_INTEGER;
  const hasMax = Math.abs(max) < MAX_INTEGER || max === -MAX_INTEGER;
  return {
    min: hasMin ? min : hasMax && max < 0 ? -MAX_WRITTEN_INTEGER : -Infinity,
    max: hasMax ? max : hasMin && min > MAX_ONE_SIDED_MINIMUM ? MAX_WRITTEN_INTEGER : Infinity,
  };
}

/** Without expensive bounds if there are too many in the schema: only that the integer is not negative, or positive. */
function affordable(walk: WalkContext, range: Range): Range {
  if (walk.budget.takeBoundBytes(boundBytes(range))) return range;
  const isCheap = range.min >= 0 && range.min <= MAX_ONE_SIDED_MINIMUM;
  return { min: isCheap ? range.min : -Infinity, max: Infinity };
}

/** Maximum size of the grammar of the bounds: it has a range of numbers for each count of digits. */
function boundBytes({ min, max }: Range): number {
  return (min < 0 ? bytesUpTo(min) : 0) + (max >= 0 ? bytesUpTo(max) : 0);
}

function bytesUpTo(bound: number): number {
  if (!Number.isFinite(bound)) return 0;
  const digits = String(Math.abs(bound)).length;
  return (BOUND_BYTES * digits * (digits + 1)) / 2;
}

function boundOf(schema: JsonSchema, keyword: string, at: Position): number | undefined {
  const value = schema[keyword];
  // In draft 4 these are flags for the bound next to them.
  if (value == null || typeof value === "boolean") return undefined;
  const bound = toDouble(value);
  if (bound === undefined) {
    throw invalidSchema(inside(at, keyword), `${quoted(value)} is not a number`, "Correct it");
  }
  return bound;
}
