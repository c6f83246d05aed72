import { type Logger, pino } from "pino";

// A write for each line cost a request more than its translation; nobody reads a log faster than this.
const BATCH_LENGTH = 16 * 1024;
const DELAY_MS = 200;

/** The gateway's log: JSON lines on the standard output, written in the background, many at once when there are many. */
export function createLog(level: string): { readonly logger: Logger; readonly flush: () => void } {
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
  const stream = {
    write(line: string): void {
      lines += line;
      if (lines.length >= BATCH_LENGTH) hand();
      else timer ??= setTimeout(hand, DELAY_MS).unref();
    },
  };
  const formatters = { level: (label: string) => ({ level: label }) };
  return {
    logger: pino({ level, base: null, timestamp, formatters }, stream),
    flush: () => {
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
