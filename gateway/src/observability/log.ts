import { type Logger, pino } from "pino";

// A write for each line cost a request more than its translation; nobody reads a log faster than this.
const BATCH_LENGTH = 64 * 1024;
const DELAY_MS = 200;

type Level = "debug" | "info" | "warn" | "error";

export interface Log {
  readonly logger: Logger;
  /** Writes the line of a request as the logger would, at a third of what it costs. */
  request(level: Level, fields: object): void;
  /** Writes the line of an administrative act, whatever the level is. */
  audit(act: AuditedAct): void;
}

/** Who did what to what. */
export interface AuditedAct {
  readonly act: string;
  /** What it was done to: a model, a server, a file. */
  readonly target: string;
  /** The name of the key that was used, if one was. */
  readonly key?: string;
  readonly [field: string]: unknown;
}

/** A log of JSON lines. */
export function createLog(level: string, destination: { write(lines: string): unknown }): Log {
  const formatters = { level: (label: string) => ({ level: label }) };
  const logger = pino({ level, base: null, timestamp, formatters }, destination);
  return {
    logger,
    request(level, fields) {
      if (!logger.isLevelEnabled(level)) return;
      const members = JSON.stringify(fields).slice(1, -1);
      destination.write(`{"level":"${level}"${timestamp()},${members},"msg":"request"}\n`);
    },
    audit(act) {
      destination.write(`{"level":"info"${timestamp()},${JSON.stringify(act).slice(1, -1)},"msg":"audit"}\n`);
    },
  };
}

/** The standard output, written in the background, many lines at once when there are many. */
export function standardOutput(): { write(line: string): void; flush(): void } {
  const destination = pino.destination({ sync: false });
  let lines = "";
  let timer: NodeJS.Timeout | undefined;
  const hand = (): void => {
    clearTimeout(timer);
    timer = undefined;
    destination.write(lines);
    lines = "";
  };
  // The destination gathers lines too, but measures all that it holds with each that comes.
  return {
    write(line) {
      lines += line;
      if (lines.length >= BATCH_LENGTH) hand();
      else timer ??= setTimeout(hand, DELAY_MS).unref();
    },
    flush() {
      if (lines !== "") hand();
      destination.flushSync();
    },
  };
}

const SECOND = 1000;

let second = 0;
let written = "";

/** As pino's own, but a second is written once. */
function timestamp(): string {
  const now = Date.now();
  const part = now % SECOND;
  if (now - part !== second) {
    second = now - part;
    written = `,"time":"${new Date(second).toISOString().slice(0, -"000Z".length)}`;
  }
  return `${written}${`${part}`.padStart(3, "0")}Z"`;
}
