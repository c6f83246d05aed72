import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { setTimeout as sleep } from "node:timers/promises";
import type { Target } from "./target.ts";

/** A raw connection. Its methods never throw. */
export class Connection {
  readonly #socket: Socket;
  /** The first bytes received, about 4 KiB. */
  received = "";
  /** Whether it was ever established. */
  wasOpen = false;
  isClosed = false;

  constructor(target: Target) {
    const { host, port, ca } = target.deployment;
    this.#socket =
      ca === undefined
        ? connectTcp({ host, port })
        : connectTls({ host, port, ca, servername: host, ALPNProtocols: ["http/1.1"] });
    this.#socket.setNoDelay(true);
    this.#socket.on("error", () => undefined);
    this.#socket.on("data", (bytes: Buffer) => {
      if (this.received.length < 4096) this.received += bytes.toString("latin1");
    });
    this.#socket.once(ca === undefined ? "connect" : "secureConnect", () => {
      this.wasOpen = true;
    });
    this.#socket.once("close", () => {
      this.isClosed = true;
    });
  }

  write(data: string | Buffer): void {
    if (!this.#socket.destroyed && this.#socket.writable) this.#socket.write(data);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  get status(): number {
    return Number(/^HTTP\/1\.1 (\d{3})/.exec(this.received)?.[1] ?? 0);
  }
}

/** Opens connections in batches, runs `work` with them, and always closes them. */
export async function withConnections<T>(
  target: Target,
  count: number,
  work: (connections: readonly Connection[]) => Promise<T>,
  {
    onOpen = () => undefined,
    batchSize = 200,
  }: { onOpen?: (connection: Connection) => void; batchSize?: number } = {},
): Promise<T> {
  const connections: Connection[] = [];
  try {
    while (connections.length < count) {
      for (let more = Math.min(batchSize, count - connections.length); more > 0; more -= 1) {
        const connection = new Connection(target);
        connections.push(connection);
        onOpen(connection);
      }
      await sleep(50);
    }
    const result = await work(connections);
    if (!connections.some(({ wasOpen }) => wasOpen)) throw new Error("no connection could be made");
    return result;
  } finally {
    for (const connection of connections) connection.destroy();
  }
}

/** Polls a condition; returns whether it became true in time. */
export async function waitFor(
  condition: () => boolean | Promise<boolean>,
  withinMs: number,
): Promise<boolean> {
  const until = Date.now() + withinMs;
  for (;;) {
    if (await condition()) return true;
    if (Date.now() > until) return false;
    await sleep(200);
  }
}

/** The request line and headers of an HTTP/1.1 POST. */
export function requestHead(
  target: Target,
  path: string,
  fields: Readonly<Record<string, string | number>>,
): string {
  const { host, port } = target.deployment;
  const lines = Object.entries({ host: `${host}:${port}`, "content-type": "application/json", ...fields });
  return `POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}
