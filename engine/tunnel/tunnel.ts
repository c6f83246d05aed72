import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { type TunnelTarget, TunnelTransport } from "./transport.ts";

export type { TunnelTarget } from "./transport.ts";

/**
 * Reaches services in a network of an engine through the engine's own connection, whatever that is (socket, TLS, ssh),
 * whether their ports are published or not. Many connections share one container, which ends with this process.
 */
export class Tunnel {
  readonly #end: TunnelTarget;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #servers: Server[] = [];
  #wire: Promise<TunnelTransport>;

  private constructor(end: TunnelTarget, environment: NodeJS.ProcessEnv) {
    this.#end = end;
    this.#environment = environment;
    this.#wire = TunnelTransport.open(end, environment);
  }

  /** Opens one to the engine that the environment names. Throws EngineError when it does not come about. */
  static async open(end: TunnelTarget, environment: NodeJS.ProcessEnv = process.env): Promise<Tunnel> {
    const tunnel = new Tunnel(end, environment);
    await tunnel.#wire;
    return tunnel;
  }

  /** Listens on a loopback port of this host, a free one by default, for "host:port" of the network. Returns the port. */
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

  /** Ends it; its container is gone when this returns. */
  async close(): Promise<void> {
    for (const server of this.#servers) server.close();
    const wire = await this.#wire.catch(() => undefined);
    await wire?.close();
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

  /** The connection, made again if it broke: the engine was restarted, or the network dropped the connection. */
  async #open(): Promise<TunnelTransport> {
    const wire = await this.#wire.catch(() => undefined);
    if (wire === undefined || wire.session.destroyed)
      this.#wire = TunnelTransport.open(this.#end, this.#environment);
    return await this.#wire;
  }
}
