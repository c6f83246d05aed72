import { ApiError } from "../../errors.ts";

export type JsonSchema = Readonly<Record<string, unknown>>;

/** A client's schema with its own root. */
export interface SourceDocument {
  /** The request's parameter with the schema. */
  readonly param: string;
  /** Prepended to the paths of ignored keywords. */
  readonly prefix: string;
  /** @throws ApiError for a dangling or external reference, or if the budget does not suffice to find it */
  resolve(reference: string, at: Position, budget: WorkBudget): ReferenceTarget;
}

/** Bounds the gateway's own work on a schema. */
export interface WorkBudget {
  /** @throws ApiError if the work would take too long */
  addSteps(count: number, at: Position): void;
}

export interface ReferenceTarget {
  readonly schema: unknown;
  /** Path of the target. */
  readonly path: string;
}

/** A position in a client's schema. */
export interface Position {
  /** Path from the document's root, such as `properties.due.items`; empty at the root. */
  readonly path: string;
  readonly document: SourceDocument;
  /** Number of enclosing schemas. */
  readonly depth: number;
  /** Length of the grammar rule's name, in bytes. */
  readonly nameBytes: number;
}

const MAX_PARAM = 400;

/** @param nameBytes how much longer the rule's name becomes */
export function inside(at: Position, step: string, nameBytes = 0): Position {
  return {
    path: join(at.path, step),
    document: at.document,
    depth: at.depth + 1,
    nameBytes: at.nameBytes + nameBytes,
  };
}

/** Appends a step to a path. Paths only serve messages, so they end where a message would cut them. */
export function join(path: string, step: string): string {
  if (path.length > MAX_PARAM) return path;
  return clipped(path === "" || step.startsWith("[") ? path + step : `${path}.${step}`);
}

/**
 * @param problem a sentence without full stop
 * @param remedy another one
 */
export function invalidSchema(at: Position, problem: string, remedy: string): ApiError {
  const param = at.path === "" ? at.document.param : join(at.document.param, at.path);
  return new ApiError("invalid_value", {
    message: `Invalid schema at '${param}': ${problem}. ${remedy}.`,
    param,
  });
}

function clipped(param: string): string {
  return param.length > MAX_PARAM ? `${param.slice(0, MAX_PARAM)}...` : param;
}

/** Formats a value of a client's schema for a message. */
export function quoted(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  return clippedValue(text ?? "undefined");
}

function clippedValue(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}
