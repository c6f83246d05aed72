import type { FastifyBaseLogger } from "fastify";
import { type Logger, pino } from "pino";

// A write for each line cost a request more than its translation; nobody reads a log faster than this.
const BATCH_BYTES = 64 * 1024;
const DELAY_MS = 200;

// How long a reader of the log may keep the process from ending.
const END_TIMEOUT_MS = 1000;

// What a unit of UTF-16 takes at most in UTF-8.
const MAX_BYTES_PER_UNIT = 3;

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

/** For Fastify, which makes a child for each request: that would be a cost for nothing. */
export function withoutChildren(logger: Logger): FastifyBaseLogger {
  const only: FastifyBaseLogger = Object.assign(Object.create(logger) as Logger, { child: () => only });
  return only;
}

interface Output {
  write(line: string): void;
  /** Writes what is left before the process ends; what is being written is not waited for. */
  flush(): void;
  /** Resolves when everything has been written, or nobody has read it for a while. Nothing can be written then. */
  end(): Promise<void>;
}

/** The standard output, written in the background, many lines at once when there are many. */
export function standardOutput(): Output {
  const destination = pino.destination({ sync: false, contentMode: "buffer" });
  // As bytes: the parts of hundreds of lines would outlive the requests that they are about, and be moved by the garbage
  // collector.
  const batch = Buffer.allocUnsafeSlow(BATCH_BYTES);
  let length = 0;
  let timer: NodeJS.Timeout | undefined;
  let hasEnded = false;
  const hand = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (length > 0) destination.write(asText(Buffer.from(batch.subarray(0, length))));
    length = 0;
  };
  return {
    write(line) {
      if (hasEnded) return;
      const most = line.length * MAX_BYTES_PER_UNIT;
      if (length + most > BATCH_BYTES) hand();
      if (most > BATCH_BYTES) {
        destination.write(asText(Buffer.from(line)));
        return;
      }
      length += batch.write(line, length);
      timer ??= setTimeout(hand, DELAY_MS).unref();
    },
    flush() {
      if (hasEnded) return;
      hand();
      destination.flushSync();
    },
    async end() {
      hand();
      hasEnded = true;
      await new Promise((resolve) => {
        // A reader that is gone is an error.
        destination.once("close", resolve).once("error", resolve);
        setTimeout(resolve, END_TIMEOUT_MS);
        destination.end();
      });
    },
  };
}

/** A destination for bytes takes bytes; its types know only texts. */
function asText(bytes: Buffer): string {
  return bytes as unknown as string;
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
