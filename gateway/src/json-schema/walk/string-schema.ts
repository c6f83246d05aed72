import { readBounds } from "./count-bounds.ts";
import type { GrammarBudget } from "../limits/grammar-budget.ts";
import { FORMATS, MAX_REPETITIONS } from "../limits/grammar-limits.ts";
import { type RewrittenPattern, rewritePattern } from "../pattern/rewrite.ts";
import { type JsonSchema, type Position, inside, invalidSchema, quoted } from "../limits/position.ts";
import { type SafeNode, literalNode } from "../limits/safe-node.ts";
import type { WalkContext } from "./walk-context.ts";

/**
 * Of a pattern, a format and lengths, the converter uses the first.
 *
 * @returns undefined if it may be something other than a string
 */
export function visitString(walk: WalkContext, schema: JsonSchema, at: Position): SafeNode | undefined {
  const { format, type } = schema;
  const pattern = schema["pattern"] ?? undefined;
  const rewritten = pattern === undefined ? undefined : visitPattern(walk, pattern, at);
  if (rewritten !== undefined) {
    walk.ignoreOthers(schema, at, "string", ["pattern"]);
    return literalNode({ type: "string", pattern: rewritten });
  }
  if (typeof format === "string" && FORMATS.test(format)) {
    walk.ignoreOthers(schema, at, "string", []);
    return literalNode({ type: "string", format });
  }
  if (type !== "string" && pattern === undefined) return undefined;
  const { min, max } = readBounds(walk, schema, at, {
    minKeyword: "minLength",
    maxKeyword: "maxLength",
    limit: MAX_REPETITIONS,
  });
  walk.ignoreOthers(schema, at, "string", ["minLength", "maxLength"]);
  walk.budget.addBytes(48, at);
  return literalNode({
    type: "string",
    ...(min > 0 ? { minLength: min } : {}),
    ...(max === Infinity ? {} : { maxLength: max }),
  });
}

function visitPattern(walk: WalkContext, value: unknown, at: Position): string | undefined {
  if (typeof value !== "string") {
    throw invalidSchema(inside(at, "pattern"), `a pattern is a string, not ${quoted(value)}`, "Correct it");
  }
  const rewritten = rewriteWithin(walk.budget, value);
  if (rewritten === undefined || !walk.budget.takeRepetitions(rewritten.elements)) {
    walk.ignore(at, "pattern");
    return undefined;
  }
  if (!rewritten.exact) walk.ignore(at, "pattern");
  const { pattern, counted } = rewritten;
  walk.budget.addBytes(5 * pattern.length + counted * 2 * (at.nameBytes + 24) + 64, at);
  return pattern;
}

function rewriteWithin(budget: GrammarBudget, source: string): RewrittenPattern | undefined {
  if (!budget.allowsPattern(source)) return undefined;
  const { rewritten, steps } = rewritePattern(source);
  budget.addPattern(source, steps);
  return rewritten;
}
