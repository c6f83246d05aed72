import { ApiError } from "../errors.ts";

/** A schema as the client sent it, with its own root. */
export interface SourceDocument {
  /** The request's parameter that holds it. */
  readonly param: string;
  /** Goes before the paths of what is not applied. */
  readonly prefix: string;
  /** @throws ApiError for a reference that leads nowhere, or out of the document */
  resolve(reference: string, at: Position): ReferenceTarget;
}

export interface ReferenceTarget {
  readonly schema: unknown;
  /** Where it is, as a position's path. */
  readonly path: string;
}

/** Where in a client's schema the walk is. */
export interface Position {
  /** From the document's root, as in `properties.due.items`; empty at the root. */
  readonly path: string;
  readonly document: SourceDocument;
  /** How many schemas are around this one. */
  readonly depth: number;
  /** Bytes of the name that the converter gives to the grammar's rule. */
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

export function join(path: string, step: string): string {
  return path === "" || step.startsWith("[") ? path + step : `${path}.${step}`;
}

/** @param problem one sentence without its full stop; @param remedy another one */
export function invalidSchema(at: Position, problem: string, remedy: string): ApiError {
  const param = clipped(at.path === "" ? at.document.param : join(at.document.param, at.path));
  return new ApiError("invalid_value", {
    message: `Invalid schema at '${param}': ${problem}. ${remedy}.`,
    param,
  });
}

function clipped(param: string): string {
  return param.length > MAX_PARAM ? `${param.slice(0, MAX_PARAM)}...` : param;
}

/** A value of a client's schema, for a message. */
export function quoted(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  return clippedValue(text ?? "undefined");
}

function clippedValue(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}
