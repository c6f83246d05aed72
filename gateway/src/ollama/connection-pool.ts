import type { Socket } from "node:net";
import type { buildConnector, Client, Dispatcher, Pool } from "undici";
// Its parts, not its index: that loads a fetch, mocks and web sockets as well, 5 MiB of memory nobody uses.
import PlainClient from "undici/lib/dispatcher/client.js";
import PlainDispatcher from "undici/lib/dispatcher/dispatcher.js";
import PlainPool from "undici/lib/dispatcher/pool.js";
import request from "undici/lib/api/api-request.js";
import { type Delivery, type DeliveryHandler, FollowedHandler } from "./delivery.ts";
import { PeerWatch } from "../lib/network/peer-watch.ts";

// As the index does.
Object.assign(PlainDispatcher.prototype, { request });

/** A pool of connections to one origin, whose requests can be followed on their way to the server. */
export class ConnectionPool {
  readonly #pool: Pool;
  readonly #watch: PeerWatch;

  /** @param connectMs how long a connection may take to be made */
  constructor(origin: string, { connectMs, ...options }: Pool.Options & { readonly connectMs: number }) {
    const watch = new PeerWatch(connectMs);
    this.#watch = watch;
    this.#pool = new PlainPool(origin, {
      ...options,
      connect: { timeout: connectMs },
      factory: (url, clientOptions) => new FollowedClient(url, clientOptions as ClientOptions, watch),
    });
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: DeliveryHandler): void {
    this.#watch.wake();
    this.#pool.dispatch(options, handler);
  }

  /** @param delivery learns how far the request comes */
  request(options: Dispatcher.RequestOptions, delivery: Delivery): Promise<Dispatcher.ResponseData> {
    const followed = {
      dispatch: (each: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) => {
        this.#watch.wake();
        return this.#pool.dispatch(each, new FollowedHandler(handler, delivery));
      },
    };
    return request.call(followed, options);
  }

  /** Makes no new requests; resolves when those under way have ended. */
  close(): Promise<void> {
    return this.#pool.close();
  }

  destroy(): Promise<void> {
    return this.#pool.destroy();
  }
}

type ClientOptions = Client.Options & {
  /** What it returns, undici uses to give a connection up that no request waits for any more. */
  readonly connect: (target: buildConnector.Options, callback: buildConnector.Callback) => unknown;
};

/** A client with one connection at a time, which its requests learn of. */
class FollowedClient extends PlainClient {
  readonly #connection: { socket: Socket | undefined };

  constructor(origin: URL, options: ClientOptions, watch: PeerWatch) {
    const connection: { socket: Socket | undefined } = { socket: undefined };
    super(origin, {
      ...options,
      connect: (target, callback) =>
        options.connect(target, (...made) => {
          const [, socket] = made;
          connection.socket = socket ?? undefined;
          if (socket != null) watch.add(socket, () => this.stats.running > 0);
          callback(...made);
        }),
    });
    this.#connection = connection;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if ("delivery" in handler) (handler as DeliveryHandler).delivery.connection = this.#connection;
    return super.dispatch(options, handler);
  }
}
