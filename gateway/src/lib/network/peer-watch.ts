import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

// Generating servers send more often than this; during prompt processing nothing is sent for minutes.
const CHECK_MS = 500;
const RETRY_MS = 250;

// Errors that show that the host is down. Others, such as a refused connection, do not.
const UNREACHABLE: ReadonlySet<string | undefined> = new Set([
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETUNREACH",
  "ETIMEDOUT",
]);

/** The host of a connection is gone without having closed it. */
export class PeerLostError extends Error {
  override readonly name = "PeerLostError";
}

interface WatchedSocket {
  readonly isBusy: () => boolean;
  /** At the last check. */
  bytesRead: number;
}

/**
 * Detects hosts that have lost power or network, which an idle connection does not show: while a response is silent,
 * opens another connection to the same address. The remote kernel accepts that by itself, even if the server is busy or
 * stuck.
 */
export class PeerWatch {
  readonly #withinMs: number;
  readonly #sockets = new Map<Socket, WatchedSocket>();
  readonly #checked = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  /** @param withinMs connection timeout in milliseconds */
  constructor(withinMs: number) {
    this.#withinMs = withinMs;
  }

  /** @param isBusy whether a response is expected on the socket */
  add(socket: Socket, isBusy: () => boolean): void {
    this.#sockets.set(socket, { isBusy, bytesRead: socket.bytesRead });
    socket.once("close", () => this.#sockets.delete(socket));
    this.wake();
  }

  /** Starts the checks when a request begins. */
  wake(): void {
    this.#timer ??= setInterval(() => {
      this.#checkAll();
    }, CHECK_MS).unref();
  }

  #checkAll(): void {
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
    const isLost = !(await isUp(host, port, this.#withinMs)) && this.#readFrom(host, port) === before;
    this.#checked.delete(key);
    if (!isLost) return;
    const error = new PeerLostError(`${host} no longer accepts connections`);
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

/** Whether the host is up. An immediate refusal counts as up, as the server may be restarting. */
async function isUp(host: string, port: number, withinMs: number): Promise<boolean> {
  const until = performance.now() + withinMs;
  for (;;) {
    const remainingMs = until - performance.now();
    if (remainingMs <= 0) return false;
    if (await accepts(host, port, remainingMs)) return true;
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
      // It may have been accepted while this process was blocked.
      setImmediate(end, false);
    }, withinMs).unref();
    socket.unref();
  });
}
