import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

// A server that generates sends something more often, and one that reads a long prompt sends nothing for minutes.
const LOOK_MS = 500;
const RETRY_MS = 250;

// What the network says where there is no machine at an address. Whatever else keeps a connection from being made, such
// as a port that nobody listens on any more, is no evidence that the machine is gone.
const UNREACHABLE: ReadonlySet<string | undefined> = new Set([
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETUNREACH",
  "ETIMEDOUT",
]);

/** The machine at the other end of a connection is gone, and could not close it. */
export class PeerLostError extends Error {
  override readonly name = "PeerLostError";
}

interface Watched {
  readonly isBusy: () => boolean;
  /** At the last look. */
  bytesRead: number;
}

/**
 * Ends connections whose machine has lost its power or its network, which nothing on the connection itself shows: while
 * a response is silent, it opens another connection to the same address. The system at the other end accepts that by
 * itself, however busy or stuck the server is.
 */
export class PeerWatch {
  readonly #withinMs: number;
  readonly #sockets = new Map<Socket, Watched>();
  readonly #checked = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  /** @param withinMs how long a connection may take to be accepted */
  constructor(withinMs: number) {
    this.#withinMs = withinMs;
  }

  /** @param isBusy whether a response is due on it */
  add(socket: Socket, isBusy: () => boolean): void {
    this.#sockets.set(socket, { isBusy, bytesRead: socket.bytesRead });
    socket.once("close", () => this.#sockets.delete(socket));
    this.wake();
  }

  /** A request begins. Without any there is nothing to look at. */
  wake(): void {
    this.#timer ??= setInterval(() => {
      this.#look();
    }, LOOK_MS).unref();
  }

  #look(): void {
    let isAnyBusy = false;
    for (const [socket, watched] of this.#sockets) {
      const isSilent = socket.bytesRead === watched.bytesRead;
      watched.bytesRead = socket.bytesRead;
      if (!watched.isBusy()) continue;
      isAnyBusy = true;
      if (isSilent) void this.#check(socket);
    }
    if (isAnyBusy) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #check(silent: Socket): Promise<void> {
    const { remoteAddress: host, remotePort: port } = silent;
    if (host === undefined || port === undefined) return;
    const key = `${host} ${port}`;
    if (this.#checked.has(key)) return;
    this.#checked.add(key);
    const before = this.#readFrom(host, port);
    const isLost = !(await isThere(host, port, this.#withinMs)) && this.#readFrom(host, port) === before;
    this.#checked.delete(key);
    if (!isLost) return;
    const error = new PeerLostError(`no connection to ${host} is accepted any more`);
    for (const socket of this.#at(host, port)) socket.destroy(error);
  }

  #at(host: string, port: number): readonly Socket[] {
    return [...this.#sockets.keys()].filter(
      ({ remoteAddress, remotePort }) => remoteAddress === host && remotePort === port,
    );
  }

  #readFrom(host: string, port: number): number {
    return this.#at(host, port).reduce((sum, { bytesRead }) => sum + bytesRead, 0);
  }
}

/** Whether there is a machine at the address. One that says otherwise at once may be about to be back. */
async function isThere(host: string, port: number, withinMs: number): Promise<boolean> {
  const until = performance.now() + withinMs;
  for (;;) {
    const left = until - performance.now();
    if (left <= 0) return false;
    if (await accepts(host, port, left)) return true;
    await sleep(Math.min(RETRY_MS, Math.max(0, until - performance.now())), undefined, { ref: false });
  }
}

function accepts(host: string, port: number, withinMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (isAccepted: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(isAccepted);
    };
    socket.once("connect", () => {
      end(true);
    });
    socket.once("error", ({ code }: NodeJS.ErrnoException) => {
      end(!UNREACHABLE.has(code));
    });
    const timer = setTimeout(() => {
      // It may have been accepted while this process was held up.
      setImmediate(end, false);
    }, withinMs).unref();
    socket.unref();
  });
}
