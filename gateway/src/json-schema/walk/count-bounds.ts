import { toDouble } from "../../lib/json/exact-numbers.ts";
import { type JsonSchema, type Position, inside, invalidSchema, quoted } from "../limits/position.ts";
import type { WalkContext } from "./walk-context.ts";

interface BoundKeywords {
  readonly minKeyword: string;
  readonly maxKeyword: string;
  /** The maximum that the grammar can count. */
  readonly limit: number;
}

interface CountBounds {
  readonly min: number;
  /** Infinity for none. */
  readonly max: number;
}

/**
 * The minimum and maximum number of characters or items, limited to what a grammar can count.
 *
 * @throws ApiError for an invalid count, or a minimum above the maximum
 */
export function readBounds(
  walk: WalkContext,
  schema: JsonSchema,
  at: Position,
  { minKeyword, maxKeyword, limit }: BoundKeywords,
): CountBounds {
  const min = countOf(schema[minKeyword] ?? 0, inside(at, minKeyword));
  const max = countOf(schema[maxKeyword] ?? Infinity, inside(at, maxKeyword));
  if (min > max) {
    throw invalidSchema(
      inside(at, minKeyword),
      `${minKeyword} is greater than ${maxKeyword}`,
      "Correct one of the two",
    );
  }
  const counted = max > limit ? Math.min(min, limit) : max;
  const fits = walk.budget.takeRepetitions(counted);
  const bounded = fits
    ? { min: Math.min(min, limit), max: max > limit ? Infinity : max }
    : { min: Math.min(min, 1), max: Infinity };
  if (bounded.min < min) walk.ignore(at, minKeyword);
  if (bounded.max > max) walk.ignore(at, maxKeyword);
  return bounded;
}

function countOf(value: unknown, at: Position): number {
  const count = toDouble(value);
  if (count !== undefined && count >= 0) return Math.trunc(count);
  throw invalidSchema(
    at,
    `${quoted(value)} is not a number of characters or items`,
    "Use an integer from 0 on",
  );
}
