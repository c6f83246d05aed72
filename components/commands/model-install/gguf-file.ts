import { fetchOutbound } from "../../../host/outbound-fetch.ts";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { sourceKind } from "../../config/models/model-source.ts";
import { InstallError, retryWhileProgressing } from "./retry.ts";
import { IdleTimeout } from "./idle-timeout.ts";

export interface ReadOptions {
  /** Seconds without a byte after which a download is resumed. */
  readonly stallSeconds: number;
  readonly log: (line: string) => void;
  /** Called after each piece with the received and the total bytes, if known. */
  readonly onProgress: (completed: number, total: number | undefined) => void;
}

/** Streams the content of a GGUF file from a path or a URL. */
export function readGguf(source: string, options: ReadOptions): AsyncIterable<Uint8Array> {
  return sourceKind(source) === "url" ? download(source, options) : readFile(source, options);
}

async function* readFile(path: string, { onProgress }: ReadOptions): AsyncGenerator<Uint8Array> {
  const { size } = await stat(path);
  let completed = 0;
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    yield piece;
    onProgress((completed += piece.length), size);
  }
}

/** Downloads a file, resuming it when the connection breaks. */
async function* download(url: string, options: ReadOptions): AsyncGenerator<Uint8Array> {
  const { stallSeconds, log, onProgress } = options;
  let offset = 0;
  let total: number | undefined;
  const retryOptions = {
    what: `downloading ${url}`,
    bytes: () => offset,
    advice: "Run the update again when it can be reached.",
    log,
  };
  let connection: Connection | undefined;
  try {
    for (;;) {
      // After a failure, a new connection continues at the current offset.
      const piece = await retryWhileProgressing(retryOptions, async () => {
        try {
          connection ??= await connect(url, offset, stallSeconds);
          total ??= connection.total;
          const next = await connection.next(stallSeconds);
          if (next.done !== true) return next.value;
          if (total !== undefined && offset < total) throw new Error("the connection dropped");
          return undefined;
        } catch (error) {
          connection?.close();
          connection = undefined;
          throw error;
        }
      });
      if (piece === undefined) return;
      offset += piece.length;
      yield piece;
      onProgress(offset, total);
    }
  } finally {
    connection?.close();
  }
}

interface Connection {
  /** Size of the complete file. */
  readonly total: number | undefined;
  next(stallSeconds: number): Promise<IteratorResult<Uint8Array>>;
  close(): void;
}

async function connect(url: string, offset: number, stallSeconds: number): Promise<Connection> {
  const idle = new IdleTimeout();
  idle.arm(stallSeconds);
  try {
    const headers = offset > 0 ? { range: `bytes=${String(offset)}-` } : {};
    const response = await fetchOutbound(url, { headers, signal: idle.signal });
    // Servers without support for ranges start at the beginning.
    const from = response.status === 206 ? offset : 0;
    if (!response.ok || response.body === null) {
      const status = `${url} responded with ${String(response.status)} ${response.statusText}`.trim();
      if (response.status >= 400 && response.status < 500 && response.status !== 429)
        throw new InstallError(`${status}. Check the source of the model.`);
      throw new Error(status);
    }
    const length = Number(response.headers.get("content-length") ?? Number.NaN);
    const pieces = skip(response.body, offset - from);
    return {
      total: Number.isNaN(length) ? undefined : from + length,
      async next(seconds) {
        idle.arm(seconds);
        try {
          return await pieces.next();
        } catch (error) {
          throw idle.reason(error);
        } finally {
          // Time that the consumer takes does not count as idle.
          idle.disarm();
        }
      },
      close() {
        idle.disarm();
        void pieces.return(undefined).catch(() => undefined);
      },
    };
  } catch (error) {
    idle.disarm();
    throw idle.reason(error);
  }
}

async function* skip(pieces: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
  let left = bytes;
  for await (const piece of pieces) {
    if (left >= piece.length) left -= piece.length;
    else {
      yield left > 0 ? piece.subarray(left) : piece;
      left = 0;
    }
  }
}
