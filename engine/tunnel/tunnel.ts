import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { type TunnelTarget, TunnelTransport } from "./transport.ts";

export type { TunnelTarget } from "./transport.ts";

/**
 * Reaches services in an engine's network through the engine's own connection (socket, TLS or ssh), even if their ports are
 * not published. All connections share one container, which ends with this process.
 */
export class Tunnel {
  readonly #end: TunnelTarget;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #servers: Server[] = [];
  #transport: Promise<TunnelTransport>;

  private constructor(end: TunnelTarget, environment: NodeJS.ProcessEnv) {
    this.#end = end;
    this.#environment = environment;
    this.#transport = TunnelTransport.open(end, environment);
  }

  /** Opens a tunnel to the environment's engine. @throws EngineError if that fails */
  static async open(end: TunnelTarget, environment: NodeJS.ProcessEnv = process.env): Promise<Tunnel> {
    const tunnel = new Tunnel(end, environment);
    await tunnel.#transport;
    return tunnel;
  }

  /** Forwards a loopback port of this host, a free one by default, to "host:port" in the network. Returns the port. */
  async listen(target: string, port = 0): Promise<number> {
    const server = createServer((socket) => {
      this.#forward(socket, target).catch(() => socket.destroy());
    });
    this.#servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
    return (server.address() as AddressInfo).port;
  }

  /** Closes the tunnel and waits until its container is removed. */
  async close(): Promise<void> {
    for (const server of this.#servers) server.close();
    const transport = await this.#transport.catch(() => undefined);
    await transport?.close();
  }

  async #forward(socket: Socket, target: string): Promise<void> {
    socket.on("error", () => undefined);
    const { session } = await this.#open();
    const stream = session.request({ ":method": "CONNECT", ":authority": target });
    stream.on("error", () => socket.destroy());
    stream.once("close", () => socket.destroy());
    socket.once("close", () => {
      stream.close();
    });
    stream.once("response", ({ ":status": status }) => {
      if (status === 200) socket.pipe(stream).pipe(socket);
      else socket.destroy();
    });
  }

  /** The connection, reopened if it broke because the engine restarted or the network dropped it. */
  async #open(): Promise<TunnelTransport> {
    const current = this.#transport;
    const transport = await current.catch(() => undefined);
    const isBroken = transport === undefined || transport.session.destroyed;
    // A concurrent connection may have reopened it.
    if (isBroken && this.#transport === current)
      this.#transport = TunnelTransport.open(this.#end, this.#environment);
    return await this.#transport;
  }
}
