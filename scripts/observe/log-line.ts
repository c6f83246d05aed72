import { stripVTControlCharacters } from "node:util";

/** A line of a container's log. */
export interface LogLine {
  /** The engine's timestamp: ISO 8601 in UTC. */
  readonly at: string;
  /** "ollama", "gateway-2", "edge". */
  readonly component: string;
  readonly level: string;
  readonly message: string;
}

/**
 * Reads a line that `docker logs --timestamps` or `kubectl logs --timestamps` prints. The gateway and the edge log JSON, Ollama `key=value`; what is
 * neither is shown as it is.
 */
export function parseLogLine(component: string, line: string): LogLine {
  const [, time = "", text = line] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.]*(?:Z|[+-]\d\d:\d\d)) ?(.*)$/s.exec(line) ?? [];
  const { level, message } = parseText(text);
  return { at: inUtc(time), component, level: printable(level), message: printable(message) };
}

/** A cluster's nodes write timestamps in their own time zone. Keeps the digits below a millisecond, which a Date lacks. */
function inUtc(time: string): string {
  const [, seconds = "", fraction = "", zone = ""] = /^(.{19})([\d.]*)([+-].*)$/.exec(time) ?? [];
  const date = new Date(`${seconds}${zone}`);
  return Number.isNaN(date.getTime()) ? time : `${date.toISOString().slice(0, 19)}${fraction}Z`;
}

function parseText(text: string): Pick<LogLine, "level" | "message"> {
  if (text.startsWith("{")) {
    try {
      return parseJson(JSON.parse(text) as Record<string, unknown>);
    } catch {
      // Truncated, or not JSON.
    }
  }
  const [, level, rest = ""] = /^time=\S+ level=(\w+)\s+(?:source=\S+\s+)?(.*)$/.exec(text) ?? [];
  if (level === undefined) return { level: /\bpanic\b|^Error:/.test(text) ? "error" : "info", message: text };
  return { level: level.toLowerCase(), message: rest.replace(/^msg=("(?:[^"\\]|\\.)*"|\S+)/, unquoted) };
}

function unquoted(_match: string, message: string): string {
  return message.startsWith('"') ? message.slice(1, -1).replaceAll(goEscape, unescaped) : message;
}

// What Go's strconv.Quote writes; JSON has no \x1b, \a and \U0001f600.
const goEscape = /\\(?:x([\da-f]{2})|u([\da-f]{4})|U([\da-f]{8})|(.))/g;
const goCharacters: Readonly<Record<string, string>> = {
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

function unescaped(_match: string, byte?: string, short?: string, long?: string, character = ""): string {
  const hex = byte ?? short ?? long;
  if (hex === undefined) return goCharacters[character] ?? character;
  const code = Number.parseInt(hex, 16);
  return code > 0x10_ff_ff ? "\ufffd" : String.fromCodePoint(code);
}

// Fields that are shown before the message, or not at all.
const hidden = new Set(["level", "time", "time_key", "ts", "msg", "logger"]);

function parseJson({ msg, level, ...fields }: Record<string, unknown>): Pick<LogLine, "level" | "message"> {
  const rest = Object.entries(fields)
    .filter(([key]) => !hidden.has(key))
    .map(([key, value]) => `${key}=${shown(value)}`);
  return { level: text(level) || "info", message: [text(msg), ...rest].filter(Boolean).join(" ") };
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function shown(value: unknown): string {
  return typeof value === "string" && !/[\s"=]/.test(value) ? value : JSON.stringify(value);
}

/**
 * Removes control characters, because a log may contain client input, which must not control the terminal. Escaped ones
 * are removed too if this follows the parsing.
 */
function printable(text: string): string {
  // eslint-disable-next-line no-control-regex
  return stripVTControlCharacters(text).replaceAll(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, "?");
}

/** Formats a line for a terminal: time, component, level, message. */
export function formatLogLine({ at, component, level, message }: LogLine, width: number): string {
  return `${at.slice(11, 23).replace("Z", "").padEnd(12)}  ${component.padEnd(width)}  ${level.padEnd(5)}  ${message}`;
}

export function isError({ level }: LogLine): boolean {
  return ["error", "fatal", "panic"].includes(level);
}
