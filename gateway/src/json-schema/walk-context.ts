import type { GrammarBudget } from "./grammar-budget.ts";
import type { Position } from "./position.ts";
import type { JsonSchema } from "./references.ts";
import type { SafeNode } from "./safe-node.ts";

/** What the parts of a walk through a schema have of it. */
export interface WalkContext {
  readonly budget: GrammarBudget;
  /** @throws ApiError for what no grammar can be made of */
  visit(schema: unknown, at: Position): SafeNode;
  /** Notes that a keyword is not applied. */
  ignore(at: Position, keyword: string): void;
  /** Notes the keywords that would narrow values of a type, and that nothing is made of. */
  ignoreOthers(schema: JsonSchema, at: Position, type: string, applied: readonly string[]): void;
}
