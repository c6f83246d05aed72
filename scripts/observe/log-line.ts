import { stripVTControlCharacters } from "node:util";

/** A line of a container's log. */
export interface LogLine {
  /** When the engine took it, as it writes it: ISO 8601 in UTC. */
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
  // A node of a cluster writes them in its own zone.
  const at = time === "" || time.endsWith("Z") ? time : new Date(time).toISOString();
  return { at, component, ...parseText(printable(text)) };
}

function parseText(text: string): Pick<LogLine, "level" | "message"> {
  if (text.startsWith("{")) {
    try {
      return parseJson(JSON.parse(text) as Record<string, unknown>);
    } catch {
      // Cut off, or no JSON.
    }
  }
  const [, level, rest = ""] = /^time=\S+ level=(\w+)\s+(?:source=\S+\s+)?(.*)$/.exec(text) ?? [];
  if (level === undefined) return { level: /\bpanic\b|^Error:/.test(text) ? "error" : "info", message: text };
  return { level: level.toLowerCase(), message: rest.replace(/^msg=("(?:[^"\\]|\\.)*"|\S+)/, unquoted) };
}

function unquoted(_match: string, message: string): string {
  return message.startsWith('"') ? (JSON.parse(message) as string) : message;
}

// Shown before the message, or of no use to people.
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

/** What a client sent may be in a log, and must not move the cursor of who reads it. */
function printable(text: string): string {
  // eslint-disable-next-line no-control-regex
  return stripVTControlCharacters(text).replaceAll(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, "?");
}

/** For a terminal: time, component, level, message. */
export function formatLogLine({ at, component, level, message }: LogLine, width: number): string {
  return `${at.slice(11, 23).replace("Z", "").padEnd(12)}  ${component.padEnd(width)}  ${level.padEnd(5)}  ${message}`;
}

export function isError({ level }: LogLine): boolean {
  return ["error", "fatal", "panic"].includes(level);
}
