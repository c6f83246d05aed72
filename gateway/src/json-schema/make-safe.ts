import { refuseEndless } from "./endless-schemas.ts";
import {
  GRAMMAR_BYTES_PER_SCHEMA_BYTE,
  MAX_COPIED_VALUES,
  MAX_NAME_BYTES,
  UNCUT_GRAMMAR_BYTES,
} from "./grammar-limits.ts";
import { type Position, invalidSchema } from "./position.ts";
import { type JsonSchema, SchemaDocument } from "./references.ts";
import { type SafeNode, WayCounter, literalNode, unionNode } from "./safe-node.ts";
import { SchemaWalk } from "./schema-walk.ts";

export interface SafeSchema {
  /** What Ollama can take. It allows all that the client's schema allows, but for what the converter never allows. */
  readonly schema: JsonSchema;
  /** The keywords that narrow, and are not applied: by their paths. */
  readonly ignored: readonly string[];
}

/** What has to be called, and with what. */
export interface CallSchema {
  readonly name: string;
  readonly parameters: JsonSchema;
  /** The request's parameter that holds the schema of the arguments. */
  readonly param: string;
}

/**
 * Makes a client's JSON Schema into one that neither Ollama's server nor a model's runner dies of.
 *
 * @param param the request's parameter that holds it
 * @throws ApiError `invalid_value` that names the part of the schema that no grammar can be made of
 */
export function makeSafe(schema: JsonSchema, param: string): SafeSchema {
  const at = start(new SchemaDocument(schema, param), 4);
  const walk = new SchemaWalk();
  return finish(walk, walk.visit(schema, at), at);
}

/** The schema of an object that is one of several calls, `{"name": ..., "arguments": ...}`. @throws ApiError */
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
  refuseEndless(walk.definitions);
  const counter = new WayCounter();
  for (const branch of walk.branches) counter.count(branch.node, branch.at);
  const definitions = walk.definitions.map(({ name, node }) => [name, node?.schema ?? {}] as const);
  const isReference = typeof root.schema["$ref"] === "string";
  const schema: JsonSchema = {
    // The converter looks for references in nothing beside one.
    ...(isReference ? { anyOf: [root.schema] } : root.schema),
    ...(definitions.length > 0 ? { $defs: Object.fromEntries(definitions) } : {}),
  };
  const bytes = Buffer.byteLength(JSON.stringify(schema));
  // A value takes ten bytes or more of JSON.
  if ((bytes / 10) * definitions.length > MAX_COPIED_VALUES) {
    throw invalidSchema(at, `there are ${definitions.length} references in too large a schema`, "Use fewer");
  }
  return { schema: lengthened(schema, bytes, walk.budget.bytes), ignored: [...walk.ignored] };
}

/** Ollama cuts off a grammar that is much longer than its schema. */
function lengthened(schema: JsonSchema, bytes: number, grammarBytes: number): JsonSchema {
  if (grammarBytes < UNCUT_GRAMMAR_BYTES) return schema;
  const missing = Math.ceil((grammarBytes + MAX_NAME_BYTES) / GRAMMAR_BYTES_PER_SCHEMA_BYTE) - bytes;
  return missing > 0 ? { ...schema, $comment: " ".repeat(missing) } : schema;
}
