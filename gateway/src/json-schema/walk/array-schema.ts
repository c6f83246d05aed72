import { MAX_ITEMS } from "../limits/grammar-limits.ts";
import { readBounds } from "./count-bounds.ts";
import { type JsonSchema, type Position, inside, invalidSchema, quoted } from "../limits/position.ts";
import { type SafeNode, literalNode } from "../limits/safe-node.ts";
import type { WalkContext } from "./walk-context.ts";

/** An array with items of one kind, or a tuple. The converter prefers the former. */
export function visitArray(walk: WalkContext, schema: JsonSchema, at: Position): SafeNode {
  const prefix = schema["prefixItems"];
  if (prefix != null && !Array.isArray(prefix)) {
    throw invalidSchema(
      inside(at, "prefixItems"),
      `prefixItems is a list of schemas, not ${quoted(prefix)}`,
      "Correct it",
    );
  }
  const items = schema["items"] ?? undefined;
  if (Array.isArray(items)) return visitTuple(walk, schema, "items", items, at);
  if (Array.isArray(prefix) && (items === undefined || items === false)) {
    return visitTuple(walk, schema, "prefixItems", prefix, at);
  }
  return visitList(walk, schema, items, at);
}

function visitTuple(
  walk: WalkContext,
  schema: JsonSchema,
  keyword: "items" | "prefixItems",
  items: readonly unknown[],
  at: Position,
): SafeNode {
  // Most tuples state their own length.
  walk.ignoreOthers(schema, at, "array", [
    keyword,
    "items",
    "additionalItems",
    "unevaluatedItems",
    ...(schema["minItems"] === items.length ? ["minItems"] : []),
    ...(schema["maxItems"] === items.length ? ["maxItems"] : []),
  ]);
  walk.budget.addBytes(32, at);
  const nodes = items.map((item, index) => {
    const below = inside(at, `${keyword}[${index}]`, 12);
    walk.budget.addBytes(below.nameBytes + 24, below);
    return walk.visit(item, below).schema;
  });
  return literalNode({ type: "array", prefixItems: nodes });
}

function visitList(walk: WalkContext, schema: JsonSchema, items: unknown, at: Position): SafeNode {
  const { min, max } = readBounds(walk, schema, at, {
    minKeyword: "minItems",
    maxKeyword: "maxItems",
    limit: MAX_ITEMS,
  });
  walk.ignoreOthers(schema, at, "array", ["items", "minItems", "maxItems"]);
  const below = inside(at, "items", 5);
  walk.budget.addBytes(3 * below.nameBytes + 96, below);
  const isEmpty = items === false;
  if (isEmpty && min > 0) {
    throw invalidSchema(
      inside(at, "minItems"),
      "the schema of its items allows none",
      "Correct one of the two",
    );
  }
  return literalNode({
    type: "array",
    items: walk.visit(isEmpty ? {} : items, below).schema,
    ...(min > 0 ? { minItems: min } : {}),
    ...(isEmpty ? { maxItems: 0 } : max === Infinity ? {} : { maxItems: max }),
  });
}
