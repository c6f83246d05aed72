import { setImmediate as nextTurn } from "node:timers/promises";

// A piece takes one or two milliseconds.
const PIECE_LENGTH = 128 * 1024;
const PIECE_VALUES = 4096;

interface Level {
  readonly container: Readonly<Record<string, unknown>> | readonly unknown[];
  /** Undefined for an array. */
  readonly keys: readonly string[] | undefined;
  readonly length: number;
  index: number;
  isEmpty: boolean;
}

/** Serializes plain data like `JSON.stringify`, in pieces, so that the event loop can run in between. */
export async function* jsonPieces(value: unknown): AsyncGenerator<Buffer> {
  for (const piece of textPieces(value)) {
    yield Buffer.from(piece);
    await nextTurn();
  }
}

function* textPieces(value: unknown): Generator<string> {
  const levels: Level[] = [];
  let text = "";
  let values = 0;
  let next: unknown = value;
  for (;;) {
    values += 1;
    if (isContainer(next)) {
      const level = levelOf(next);
      text += level.keys === undefined ? "[" : "{";
      levels.push(level);
    } else if (typeof next === "string" && next.length > PIECE_LENGTH) {
      text += '"';
      for (let start = 0; start < next.length;) {
        const end = endOfSlice(next, start);
        text += JSON.stringify(next.slice(start, end)).slice(1, -1);
        yield text;
        text = "";
        start = end;
      }
      text += '"';
    } else text += JSON.stringify(next);
    if (text.length > PIECE_LENGTH || values > PIECE_VALUES) {
      yield text;
      text = "";
      values = 0;
    }
    for (;;) {
      const level = levels.at(-1);
      if (level === undefined) {
        yield text;
        return;
      }
      if (level.index < level.length) {
        const { keys, container } = level;
        const key = keys?.[level.index] ?? "";
        next =
          keys === undefined
            ? (container as readonly unknown[])[level.index]
            : (container as Readonly<Record<string, unknown>>)[key];
        level.index += 1;
        // As in JSON.stringify, undefined is omitted in objects and null in arrays.
        if (next === undefined) {
          if (keys !== undefined) continue;
          next = null;
        }
        if (!level.isEmpty) text += ",";
        level.isEmpty = false;
        if (keys !== undefined) text += `${JSON.stringify(key)}:`;
        break;
      }
      text += level.keys === undefined ? "]" : "}";
      levels.pop();
    }
  }
}

function isContainer(value: unknown): value is Level["container"] {
  return typeof value === "object" && value !== null && !JSON.isRawJSON(value);
}

function levelOf(container: Level["container"]): Level {
  const keys = Array.isArray(container) ? undefined : Object.keys(container);
  const length = keys?.length ?? (container as readonly unknown[]).length;
  return { container, keys, length, index: 0, isEmpty: true };
}

/** Keeps surrogate pairs together. */
function endOfSlice(text: string, start: number): number {
  const end = Math.min(start + PIECE_LENGTH, text.length);
  const last = text.charCodeAt(end - 1);
  return end < text.length && last >= 0xd800 && last < 0xdc00 ? end - 1 : end;
}
