import { toDouble } from "../lib/json/exact-numbers.ts";
import { type Position, inside, invalidSchema, quoted } from "./position.ts";
import type { JsonSchema } from "./references.ts";
import type { WalkContext } from "./walk-context.ts";

interface BoundKeywords {
  readonly least: string;
  readonly most: string;
  /** The highest that the grammar can count. */
  readonly limit: number;
}

export interface CountBounds {
  readonly min: number;
  /** Infinity: none. */
  readonly max: number;
}

/**
 * The least and the greatest number of characters or items, as far as a grammar can count.
 *
 * @throws ApiError for what is no count, and for a least number over the greatest
 */
export function readBounds(
  walk: WalkContext,
  schema: JsonSchema,
  at: Position,
  { least, most, limit }: BoundKeywords,
): CountBounds {
  const min = countOf(schema[least] ?? 0, inside(at, least));
  const max = countOf(schema[most] ?? Infinity, inside(at, most));
  if (min > max) {
    throw invalidSchema(inside(at, least), `${least} is greater than ${most}`, "Correct one of the two");
  }
  const counted = max > limit ? Math.min(min, limit) : max;
  const fits = walk.budget.takeRepetitions(counted);
  const bounded = fits
    ? { min: Math.min(min, limit), max: max > limit ? Infinity : max }
    : { min: Math.min(min, 1), max: Infinity };
  if (bounded.min < min) walk.ignore(at, least);
  if (bounded.max > max) walk.ignore(at, most);
  return bounded;
}

function countOf(given: unknown, at: Position): number {
  const count = toDouble(given);
  if (count !== undefined && count >= 0) return Math.trunc(count);
  throw invalidSchema(at, `${quoted(given)} is no number of characters or items`, "Use an integer from 0 on");
}
