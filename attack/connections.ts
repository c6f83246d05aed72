import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { setTimeout as sleep } from "node:timers/promises";
import type { Target } from "./target.ts";

/** A connection whose bytes the scenario writes itself. Nothing that happens to it throws. */
export class Connection {
  readonly #socket: Socket;
  /** The first bytes that came, up to 4 KiB. */
  received = "";
  /** It was established, whatever happened afterwards. */
  wasOpen = false;
  isClosed = false;

  constructor(target: Target) {
    const { host, port, ca } = target.place;
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

/** Opens connections, not all in one moment, does something with them, and closes all whatever happens. */
export async function withConnections<T>(
  target: Target,
  count: number,
  work: (connections: readonly Connection[]) => Promise<T>,
  {
    opened = () => undefined,
    atOnce = 200,
  }: { opened?: (connection: Connection) => void; atOnce?: number } = {},
): Promise<T> {
  const connections: Connection[] = [];
  try {
    while (connections.length < count) {
      for (let more = Math.min(atOnce, count - connections.length); more > 0; more -= 1) {
        const connection = new Connection(target);
        connections.push(connection);
        opened(connection);
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

/** Waits for a condition; returns whether it became true in time. */
export async function comesTrue(
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

/** The head of a POST in HTTP/1.1. */
export function head(
  target: Target,
  path: string,
  fields: Readonly<Record<string, string | number>>,
): string {
  const { host, port } = target.place;
  const lines = Object.entries({ host: `${host}:${port}`, "content-type": "application/json", ...fields });
  return `POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}
