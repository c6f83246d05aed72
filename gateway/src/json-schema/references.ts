import { isJsonObject } from "../lib/json/exact-numbers.ts";
import {
  type Position,
  type ReferenceTarget as Target,
  type SourceDocument,
  invalidSchema,
  join,
  quoted,
} from "./position.ts";

export type JsonSchema = Readonly<Record<string, unknown>>;

/** A client's schema with its own root, in which its references are looked up. */
export class SchemaDocument implements SourceDocument {
  readonly root: JsonSchema;
  readonly param: string;
  readonly prefix: string;
  #named: Map<string, Target> | undefined;

  constructor(root: JsonSchema, param: string, prefix = "") {
    this.root = root;
    this.param = param;
    this.prefix = prefix;
  }

  /** @throws ApiError for what leads nowhere, or out of the document: nothing is fetched on behalf of a client */
  resolve(reference: string, at: Position): Target {
    const hash = reference.indexOf("#");
    const base = hash < 0 ? reference : reference.slice(0, hash);
    const fragment = hash < 0 ? "" : reference.slice(hash + 1);
    const start = base === "" || base === this.root["$id"] ? this.#root() : this.#find(base);
    if (start !== undefined) {
      if (fragment === "") return start;
      const found = fragment.startsWith("/") ? follow(fragment, start) : this.#find(`#${fragment}`);
      if (found !== undefined) return found;
    }
    throw invalidSchema(
      at,
      `the reference ${quoted(reference)} leads to nothing in this schema`,
      "Define what it names under $defs",
    );
  }

  #root(): Target {
    return { schema: this.root, path: "" };
  }

  #find(name: string): Target | undefined {
    if (this.#named === undefined) {
      this.#named = new Map();
      collectNames(this.root, this.#named);
    }
    return this.#named.get(name);
  }
}

function follow(pointer: string, from: Target): Target | undefined {
  let { schema, path } = from;
  for (const token of pointer.slice(1).split("/")) {
    const found = [token, unescaped(token)].find((key) => key !== undefined && has(schema, key));
    if (found === undefined) return undefined;
    path = join(path, Array.isArray(schema) ? `[${found}]` : found);
    schema = (schema as Record<string, unknown>)[found];
  }
  return { schema, path };
}

function has(value: unknown, key: string): value is object {
  if (Array.isArray(value)) return Object.hasOwn(value, key) && /^\d+$/.test(key);
  return isJsonObject(value) && Object.hasOwn(value, key);
}

/** A key as a pointer in a URI's fragment writes it. */
function unescaped(token: string): string | undefined {
  try {
    return decodeURIComponent(token).replaceAll("~1", "/").replaceAll("~0", "~");
  } catch {
    return undefined;
  }
}

/** The parts of a document that have a name of their own: by `$id`, and by anchor as `#name`. */
function collectNames(root: JsonSchema, names: Map<string, Target>): void {
  const queue: Target[] = [{ schema: root, path: "" }];
  for (const part of queue) {
    const { schema, path } = part;
    if (!Array.isArray(schema) && !isJsonObject(schema)) continue;
    for (const [key, value] of Object.entries(schema)) {
      if (typeof value === "string") {
        const name = nameBy(key, value);
        if (name !== undefined && !names.has(name)) names.set(name, part);
      } else {
        queue.push({ schema: value, path: join(path, Array.isArray(schema) ? `[${key}]` : key) });
      }
    }
  }
}

function nameBy(key: string, value: string): string | undefined {
  if (key === "$id" || key === "id") return value;
  return key === "$anchor" || key === "$dynamicAnchor" ? `#${value}` : undefined;
}
