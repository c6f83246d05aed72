import { refuseEndless } from "./limits/endless-schemas.ts";
import {
  GRAMMAR_BYTES_PER_SCHEMA_BYTE,
  MAX_COPIED_VALUES,
  MAX_NAME_BYTES,
  UNCUT_GRAMMAR_BYTES,
} from "./limits/grammar-limits.ts";
import { type JsonSchema, type Position, invalidSchema } from "./limits/position.ts";
import { SchemaDocument } from "./walk/references.ts";
import { type SafeNode, WayCounter, literalNode, unionNode } from "./limits/safe-node.ts";
import { SchemaWalk } from "./walk/schema-walk.ts";

export interface SafeSchema {
  /**
   * A schema that Ollama can handle. It allows everything that the client's schema allows, except what the converter
   * never supports.
   */
  readonly schema: JsonSchema;
  /** Paths of constraints that are not enforced. */
  readonly ignored: readonly string[];
}

/** A function that may be called, and its arguments. */
interface CallSchema {
  readonly name: string;
  readonly parameters: JsonSchema;
  /** Parameter of the request with the schema of the arguments. */
  readonly param: string;
}

/**
 * Rewrites a client's JSON Schema so that it cannot crash Ollama's server or a runner.
 *
 * @param param the request's parameter with the schema
 * @throws ApiError `invalid_value` naming the unsupported part of the schema
 */
export function makeSafe(schema: JsonSchema, param: string): SafeSchema {
  const at = start(new SchemaDocument(schema, param), 4);
  const walk = new SchemaWalk();
  return finish(walk, walk.visit(schema, at), at);
}

/**
 * Builds the schema of an object that is one of several calls, `{"name": ..., "arguments": ...}`.
 *
 * @throws ApiError
 */
export function makeSafeCalls(calls: readonly CallSchema[]): SafeSchema {
  const walk = new SchemaWalk();
  const nodes = calls.map(({ name, parameters, param }): SafeNode => {
    const at = start(new SchemaDocument(parameters, param, `${param}.`), "alternative-999-arguments".length);
    walk.budget.addBytes(1024 + 4 * Buffer.byteLength(name), at);
    return literalNode({
      type: "object",
      properties: { name: { const: name }, arguments: walk.visit(parameters, at).schema },
      required: ["name", "arguments"],
    });
  });
  const [only] = nodes;
  const at = start(new SchemaDocument({}, "tools"), 4);
  const root = nodes.length === 1 && only !== undefined ? only : unionNode(nodes);
  walk.branches.push({ node: root, at });
  return finish(walk, root, at);
}

function start(document: SchemaDocument, nameBytes: number): Position {
  return { path: "", document, depth: 0, nameBytes };
}

function finish(walk: SchemaWalk, root: SafeNode, at: Position): SafeSchema {
  walk.visitDefinitions();
  refuseEndless(walk.definitions, walk.budget);
  const counter = new WayCounter();
  for (const branch of walk.branches) counter.count(branch.node, branch.at);
  const definitions = walk.definitions.map(({ name, node }) => [name, node?.schema ?? {}] as const);
  const isReference = typeof root.schema["$ref"] === "string";
  const schema: JsonSchema = {
    // The converter ignores definitions next to a reference.
    ...(isReference ? { anyOf: [root.schema] } : root.schema),
    ...(definitions.length > 0 ? { $defs: Object.fromEntries(definitions) } : {}),
  };
  const bytes = Buffer.byteLength(JSON.stringify(schema));
  // A value takes at least ten bytes of JSON.
  if ((bytes / 10) * definitions.length > MAX_COPIED_VALUES) {
    throw invalidSchema(at, `there are ${definitions.length} references in too large a schema`, "Use fewer");
  }
  return { schema: lengthened(schema, bytes, walk.budget.bytes), ignored: [...walk.ignored] };
}

/** Pads the schema, as Ollama truncates a grammar that is much longer than it. */
function lengthened(schema: JsonSchema, bytes: number, grammarBytes: number): JsonSchema {
  if (grammarBytes < UNCUT_GRAMMAR_BYTES) return schema;
  const missing = Math.ceil((grammarBytes + MAX_NAME_BYTES) / GRAMMAR_BYTES_PER_SCHEMA_BYTE) - bytes;
  return missing > 0 ? { ...schema, $comment: " ".repeat(missing) } : schema;
}
