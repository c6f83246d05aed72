import type { FastifyBaseLogger } from "fastify";
import { type Logger, pino } from "pino";

// Flush size. A write per line would cost more than translating a request.
const BATCH_BYTES = 64 * 1024;
const DELAY_MS = 200;

// How long a slow reader of the log may delay the end of the process.
const END_TIMEOUT_MS = 1000;

// Maximum UTF-8 bytes per UTF-16 unit.
const MAX_BYTES_PER_UNIT = 3;

type Level = "debug" | "info" | "warn" | "error";

export interface Log {
  readonly logger: Logger;
  /** Writes the line of a request in the logger's format, at a third of its cost. */
  request(level: Level, fields: object): void;
  /** Writes an audit line, regardless of the log level. */
  audit(act: AuditedAct): void;
}

/** An administrative action. */
interface AuditedAct {
  readonly act: string;
  /** The model, backend or file that it affected. */
  readonly target: string;
  /** Name of the API key, if there is one. */
  readonly key?: string;
  readonly [field: string]: unknown;
}

/** Creates a logger of JSON lines. */
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

/** Fastify creates a child logger per request; return the logger itself to avoid that cost. */
export function withoutChildren(logger: Logger): FastifyBaseLogger {
  const only: FastifyBaseLogger = Object.assign(Object.create(logger) as Logger, { child: () => only });
  return only;
}

interface Output {
  write(line: string): void;
  /** Writes buffered lines synchronously before the process exits. Does not wait for a write in progress. */
  flush(): void;
  /** Resolves when everything has been written, or after a timeout. Nothing may be written afterwards. */
  end(): Promise<void>;
}

/** Writes to the standard output asynchronously, in batches under load. */
export function standardOutput(): Output {
  const destination = pino.destination({ sync: false, contentMode: "buffer" });
  // A byte buffer: strings would outlive their requests and burden the garbage collector.
  const batch = Buffer.allocUnsafeSlow(BATCH_BYTES);
  let length = 0;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  const writeBatch = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (length > 0) destination.write(toWritable(Buffer.from(batch.subarray(0, length))));
    length = 0;
  };
  return {
    write(line) {
      if (isClosed) return;
      const maxBytes = line.length * MAX_BYTES_PER_UNIT;
      if (length + maxBytes > BATCH_BYTES) writeBatch();
      if (maxBytes > BATCH_BYTES) {
        destination.write(toWritable(Buffer.from(line)));
        return;
      }
      length += batch.write(line, length);
      timer ??= setTimeout(writeBatch, DELAY_MS).unref();
    },
    flush() {
      if (isClosed) return;
      writeBatch();
      destination.flushSync();
    },
    async end() {
      writeBatch();
      isClosed = true;
      await new Promise((resolve) => {
        // A closed reader raises an error.
        destination.once("close", resolve).once("error", resolve);
        setTimeout(resolve, END_TIMEOUT_MS);
        destination.end();
      });
    },
  };
}

/** A destination of bytes also accepts bytes; only its type does not. */
function toWritable(bytes: Buffer): string {
  return bytes as unknown as string;
}

const SECOND = 1000;

let second = 0;
let secondText = "";

/** Like pino's timestamp, but cached per second. */
function timestamp(): string {
  const now = Date.now();
  const part = now % SECOND;
  if (now - part !== second) {
    second = now - part;
    secondText = `,"time":"${new Date(second).toISOString().slice(0, -"000Z".length)}`;
  }
  return `${secondText}${`${part}`.padStart(3, "0")}Z"`;
}
