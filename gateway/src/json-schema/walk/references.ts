import { isJsonObject } from "../../lib/json/exact-numbers.ts";
import {
  HOP_STEPS,
  MAX_REFERENCE_LENGTH,
  STEP_CHARACTERS,
  STEPS_PER_NAMED_PART,
} from "../limits/grammar-limits.ts";
import {
  type JsonSchema,
  type Position,
  type ReferenceTarget as Target,
  type SourceDocument,
  type WorkBudget,
  invalidSchema,
  join,
  quoted,
} from "../limits/position.ts";

/** A client's schema, for resolving its references. */
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

  /** @throws ApiError for a dangling or external reference; nothing is fetched for a client */
  resolve(reference: string, at: Position, budget: WorkBudget): Target {
    budget.addSteps(HOP_STEPS + reference.length / STEP_CHARACTERS, at);
    if (reference.length > MAX_REFERENCE_LENGTH) {
      throw invalidSchema(
        at,
        `a reference has more than ${MAX_REFERENCE_LENGTH} characters`,
        "Move what it names to $defs",
      );
    }
    const hash = reference.indexOf("#");
    const base = hash < 0 ? reference : reference.slice(0, hash);
    const fragment = hash < 0 ? "" : reference.slice(hash + 1);
    const start = base === "" || base === this.root["$id"] ? this.#root() : this.#find(base, at, budget);
    if (start !== undefined) {
      if (fragment === "") return start;
      const target = fragment.startsWith("/")
        ? follow(fragment, start)
        : this.#find(`#${fragment}`, at, budget);
      if (target !== undefined) return target;
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

  #find(name: string, at: Position, budget: WorkBudget): Target | undefined {
    if (this.#named === undefined) {
      this.#named = new Map();
      collectNames(this.root, this.#named, (parts) => {
        budget.addSteps(parts * STEPS_PER_NAMED_PART, at);
      });
    }
    return this.#named.get(name);
  }
}

function follow(pointer: string, from: Target): Target | undefined {
  let { schema, path } = from;
  for (const token of pointer.slice(1).split("/")) {
    const target = [token, unescaped(token)].find((key) => key !== undefined && has(schema, key));
    if (target === undefined) return undefined;
    path = join(path, Array.isArray(schema) ? `[${target}]` : target);
    schema = (schema as Record<string, unknown>)[target];
  }
  return { schema, path };
}

function has(value: unknown, key: string): value is object {
  if (Array.isArray(value)) return Object.hasOwn(value, key) && /^\d+$/.test(key);
  return isJsonObject(value) && Object.hasOwn(value, key);
}

/** Decodes a JSON pointer token in a URI fragment. */
function unescaped(token: string): string | undefined {
  try {
    return decodeURIComponent(token).replaceAll("~1", "/").replaceAll("~0", "~");
  } catch {
    return undefined;
  }
}

/** Collects the named parts of a document: by `$id`, and by anchor as `#name`. */
function collectNames(root: JsonSchema, names: Map<string, Target>, charge: (parts: number) => void): void {
  const queue: (Target & { readonly schema: object })[] = [{ schema: root, path: "" }];
  for (const part of queue) {
    const { schema, path } = part;
    const entries = Object.entries(schema);
    charge(1 + entries.length);
    for (const [key, value] of entries) {
      if (typeof value === "string") {
        const name = nameBy(key, value);
        if (name !== undefined && !names.has(name)) names.set(name, part);
      } else if (Array.isArray(value) || isJsonObject(value)) {
        queue.push({ schema: value, path: join(path, Array.isArray(schema) ? `[${key}]` : key) });
      }
    }
  }
}

function nameBy(key: string, value: string): string | undefined {
  if (key === "$id" || key === "id") return value;
  return key === "$anchor" || key === "$dynamicAnchor" ? `#${value}` : undefined;
}
