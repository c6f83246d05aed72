import type { GrammarBudget } from "../limits/grammar-budget.ts";
import type { JsonSchema, Position } from "../limits/position.ts";
import type { SafeNode } from "../limits/safe-node.ts";

/** State and operations shared by the parts of a schema walk. */
export interface WalkContext {
  readonly budget: GrammarBudget;
  /** @throws ApiError for an unsupported schema */
  visit(schema: unknown, at: Position): SafeNode;
  /** Records a keyword that is not enforced. */
  ignore(at: Position, keyword: string): void;
  /** Records constraints for a type that are not enforced. */
  ignoreOthers(schema: JsonSchema, at: Position, type: string, applied: readonly string[]): void;
}
