import { isJsonObject } from "../../lib/json/exact-numbers.ts";
import { MAX_ALTERNATIVES, MAX_DEPTH } from "../limits/grammar-limits.ts";
import { type JsonSchema, type Position, inside, invalidSchema, quoted } from "../limits/position.ts";
import { type SafeNode, literalNode, tooDeep } from "../limits/safe-node.ts";
import type { WalkContext } from "./walk-context.ts";

export function visitConst(walk: WalkContext, schema: JsonSchema, at: Position): SafeNode {
  chargeValue(walk, schema["const"], inside(at, "const"));
  return literalNode({ const: schema["const"] });
}

export function visitEnum(walk: WalkContext, schema: JsonSchema, at: Position): SafeNode {
  const values = schema["enum"];
  const below = inside(at, "enum");
  if (!Array.isArray(values)) {
    throw invalidSchema(below, `an enum is a list of values, not ${quoted(values)}`, "Correct it");
  }
  if (values.length === 0) throw invalidSchema(below, "an enum without values allows none", "Add one");
  if (values.length > MAX_ALTERNATIVES) {
    throw invalidSchema(
      below,
      `an enum of ${values.length} values is too large, ${MAX_ALTERNATIVES} are allowed`,
      "Use a string instead",
    );
  }
  for (const [index, value] of values.entries()) chargeValue(walk, value, inside(at, `enum[${index}]`));
  return literalNode({ enum: values }, values.length);
}

/** Values are written as JSON into the grammar, where quotes and backslashes are escaped again. */
function chargeValue(walk: WalkContext, value: unknown, at: Position): void {
  checkValue(value, at, 0);
  walk.budget.addBytes(Buffer.byteLength(JSON.stringify(JSON.stringify(value))) + 8, at);
}

function checkValue(value: unknown, at: Position, depth: number): void {
  if (depth > MAX_DEPTH) throw tooDeep(at);
  if (typeof value === "string") checkText(value, at);
  if (!Array.isArray(value) && !isJsonObject(value)) return;
  for (const [key, inner] of Object.entries(value)) {
    checkText(key, at);
    if (key === "$ref") {
      throw invalidSchema(at, "Ollama takes $ref for a reference in values, too", "Give it another name");
    }
    checkValue(inner, at, depth + 1);
  }
}

function checkText(text: string, at: Position): void {
  if (!text.isWellFormed()) throw invalidSchema(at, "the value contains an unpaired surrogate", "Correct it");
}
