import { isJsonObject } from "../../lib/json/exact-numbers.ts";
import { visitAllOf } from "./all-of.ts";
import { visitArray } from "./array-schema.ts";
import { GrammarBudget } from "../limits/grammar-budget.ts";
import { MAX_DEFINITIONS, MAX_DEPTH, MAX_REFERENCE_DEPTH, PRIMITIVES } from "../limits/grammar-limits.ts";
import { hasConstraint, isEnforced, isTrivial, keywordCount, keywordsOf } from "./keywords.ts";
import { visitInteger } from "./integer-schema.ts";
import { visitObject } from "./object-schema.ts";
import { patternValues } from "./pattern-properties.ts";
import { type JsonSchema, type Position, inside, invalidSchema, join, quoted } from "../limits/position.ts";
import {
  type Definition,
  type SafeNode,
  literalNode,
  referenceNode,
  tooDeep,
  unionNode,
} from "../limits/safe-node.ts";
import { visitString } from "./string-schema.ts";
import { visitConst, visitEnum } from "./value-schema.ts";
import type { WalkContext } from "./walk-context.ts";

/** Length of a definition's rule name: `ref--defs-d499`. */
const DEFINITION_NAME_BYTES = 16;

/** The response header that lists ignored keywords holds no more characters. */
const MAX_IGNORED_LENGTH = 1000;

const ANY_TYPE = ["object", "array", "string", "number", "boolean", "null"];

/**
 * Walks a client's schema in the order of llama.cpp's converter (`visit` of common/json-schema-to-grammar.cpp), and
 * keeps only what the converter uses: for example, it ignores `properties` next to `anyOf`. The budget bounds its output
 * and its work: parts behind references may be visited many times, so each visit is charged for what it examines.
 */
export class SchemaWalk implements WalkContext {
  readonly budget = new GrammarBudget();
  readonly definitions: Definition[] = [];
  /** Paths of constraints that are not enforced. */
  readonly ignored = new Set<string>();
  /** Visited positions with several alternatives. */
  readonly branches: { readonly node: SafeNode; readonly at: Position }[] = [];
  readonly #definitionOf = new Map<JsonSchema, Definition>();
  readonly #sources: JsonSchema[] = [];
  #deepest = 0;
  #ignoredLength = 0;

  /** @throws ApiError naming the first unsupported part of the schema */
  visit(schema: unknown, at: Position): SafeNode {
    if (at.depth > MAX_DEPTH) throw tooDeep(at);
    this.#deepest = Math.max(this.#deepest, at.depth);
    this.budget.addBytes(2 * at.nameBytes + 48, at);
    const node = this.#dispatch(schema, at);
    if (node.start !== 1) this.branches.push({ node, at });
    return node;
  }

  /** Visits all referenced definitions, recursively. */
  visitDefinitions(): void {
    let total = this.#deepest;
    for (const [index, definition] of this.definitions.entries()) {
      this.#deepest = 0;
      definition.node = this.visit(this.#sources[index], definition.at);
      total += this.#deepest + 1;
      if (total > MAX_REFERENCE_DEPTH) throw tooDeep(definition.at);
    }
  }

  ignore(at: Position, keyword: string): void {
    if (this.#ignoredLength > MAX_IGNORED_LENGTH) return;
    const path = at.document.prefix + join(at.path, keyword);
    if (this.ignored.has(path)) return;
    this.ignored.add(path);
    this.#ignoredLength += path.length;
  }

  /** Records constraints for a type that are not enforced. */
  ignoreOthers(schema: JsonSchema, at: Position, type: string, applied: readonly string[]): void {
    for (const [keyword, value] of Object.entries(schema)) {
      if (keywordsOf(type).has(keyword) && !applied.includes(keyword) && !isTrivial(keyword, value)) {
        this.ignore(at, keyword);
      }
    }
  }

  #dispatch(value: unknown, at: Position): SafeNode {
    if (value === true) return this.#anyValue({}, at);
    if (value === false) throw invalidSchema(at, "the schema false allows no value", "Leave it out");
    const schema = asSchema(value, at);
    this.budget.addSteps(keywordCount(schema), at);
    const { format, type } = schema;
    if (format != null && typeof format !== "string") {
      throw invalidSchema(inside(at, "format"), `a format is a string, not ${quoted(format)}`, "Correct it");
    }
    const reference = schema["$ref"] ?? schema["$dynamicRef"] ?? schema["$recursiveRef"];
    if (reference != null) return this.#visitReference(schema, reference, at);
    if (schema["oneOf"] != null) return this.#visitUnion(schema, "oneOf", at);
    if (schema["anyOf"] != null) return this.#visitUnion(schema, "anyOf", at);
    if (schema["const"] !== undefined) return visitConst(this, schema, at);
    if (schema["enum"] != null) return visitEnum(this, schema, at);
    if (Array.isArray(type)) return this.#visitTypes(schema, type, at);
    return this.#visitTyped(schema, at);
  }

  #visitTyped(schema: JsonSchema, at: Position): SafeNode {
    const { type } = schema;
    const has = (keyword: string): boolean => schema[keyword] != null;
    const isOrMayBe = (name: string): boolean => type == null || type === name;
    const isOpen = (schema["additionalProperties"] ?? true) === true;
    const isRecord = type === "object" && patternValues(schema) !== undefined;
    if (isRecord || (isOrMayBe("object") && (has("properties") || !isOpen)))
      return visitObject(this, schema, at);
    if (has("allOf") && (isOrMayBe("object") || type === "string")) {
      const combined = visitAllOf(this, schema, at);
      if (combined !== undefined) return combined;
    }
    if (isOrMayBe("array") && (has("items") || has("prefixItems"))) return visitArray(this, schema, at);
    if (type === "string" || (type == null && (has("pattern") || has("format")))) {
      const string = visitString(this, schema, at);
      if (string !== undefined) return string;
    }
    if (type === "integer") return visitInteger(this, schema, at);
    // The converter takes an empty schema for that of an object, which the arguments of a call are.
    if (Object.keys(schema).length === 0 && at.path === "") return literalNode({});
    if (type == null) return this.#anyValue(schema, at);
    if (typeof type !== "string" || !PRIMITIVES.has(type)) {
      throw invalidSchema(
        at,
        `${quoted(type)} is not a type`,
        "Use object, array, string, number, integer, boolean or null",
      );
    }
    this.ignoreOthers(schema, at, type, []);
    return literalNode({ type }, 16);
  }

  #anyValue(schema: JsonSchema, at: Position): SafeNode {
    this.ignoreOthers(schema, at, "any", []);
    this.budget.addBytes(8 * (at.nameBytes + 32), at);
    return literalNode({ type: ANY_TYPE }, 16);
  }

  #visitReference(schema: JsonSchema, reference: unknown, at: Position): SafeNode {
    const keywordAt = inside(at, "$ref");
    if (typeof reference !== "string") {
      throw invalidSchema(keywordAt, `a reference is a string, not ${quoted(reference)}`, "Correct it");
    }
    this.ignoreOthers(schema, at, "any", ["$ref", "$dynamicRef", "$recursiveRef", "type"]);
    const target = at.document.resolve(reference, keywordAt, this.budget);
    if (typeof target.schema === "boolean") return this.visit(target.schema, at);
    const source = asSchema(target.schema, keywordAt);
    let definition = this.#definitionOf.get(source);
    if (definition === undefined) {
      if (this.definitions.length >= MAX_DEFINITIONS) {
        throw invalidSchema(
          keywordAt,
          `there are references to more than ${MAX_DEFINITIONS} schemas`,
          "Use fewer definitions",
        );
      }
      definition = {
        name: `d${this.definitions.length}`,
        at: { path: target.path, document: at.document, depth: 0, nameBytes: DEFINITION_NAME_BYTES },
      };
      this.#definitionOf.set(source, definition);
      this.#sources.push(source);
      this.definitions.push(definition);
    }
    return referenceNode(definition);
  }

  /**
   * Alternatives of which the converter enforces nothing, such as which properties are required, would make a grammar
   * of any value. What is beside them is enforced instead.
   */
  #visitUnion(schema: JsonSchema, keyword: "oneOf" | "anyOf", at: Position): SafeNode {
    const value = schema[keyword];
    const keywordAt = inside(at, keyword);
    if (!Array.isArray(value)) {
      throw invalidSchema(keywordAt, `${keyword} is a list of schemas, not ${quoted(value)}`, "Correct it");
    }
    const possible = value.flatMap((alternative: unknown, index) =>
      alternative === false ? [] : [{ alternative, index }],
    );
    if (possible.length === 0) {
      throw invalidSchema(keywordAt, "no alternative allows any value", "Add one");
    }
    if (possible.some(({ alternative }) => !isEnforced(alternative, schema["type"]))) {
      if (value.every((alternative) => hasConstraint(alternative))) this.ignore(at, keyword);
      return this.#dispatch({ ...schema, [keyword]: undefined }, at);
    }
    this.ignoreOthers(schema, at, "any", [keyword, "type"]);
    return unionNode(
      possible.map(({ alternative, index }) =>
        this.visit(alternative, inside(at, `${keyword}[${index}]`, 16)),
      ),
    );
  }

  #visitTypes(schema: JsonSchema, types: readonly unknown[], at: Position): SafeNode {
    const distinct = [...new Set(types)];
    if (distinct.length === 0) {
      throw invalidSchema(inside(at, "type"), "no type allows any value", "Add one");
    }
    const nodes = distinct.map((type) => {
      if (typeof type !== "string")
        throw invalidSchema(inside(at, "type"), `${quoted(type)} is not a type`, "Correct it");
      return this.visit({ ...schema, type }, { ...at, depth: at.depth + 1, nameBytes: at.nameBytes + 4 });
    });
    const [only] = nodes;
    return nodes.length === 1 && only !== undefined ? only : unionNode(nodes);
  }
}

function asSchema(value: unknown, at: Position): JsonSchema {
  if (isJsonObject(value)) return value;
  throw invalidSchema(at, `a schema is an object or a boolean, not ${quoted(value)}`, "Correct it");
}
