import type { Socket } from "node:net";
import type { buildConnector, Client, Dispatcher, Pool } from "undici";
// Imports parts of undici: its index also loads fetch, mocks and WebSocket, 5 MiB of unused memory.
import PlainClient from "undici/lib/dispatcher/client.js";
import PlainDispatcher from "undici/lib/dispatcher/dispatcher.js";
import PlainPool from "undici/lib/dispatcher/pool.js";
import request from "undici/lib/api/api-request.js";
import { type Delivery, type DeliveryHandler, TrackedHandler } from "./delivery.ts";
import { PeerWatch } from "../lib/network/peer-watch.ts";

// As undici's index does.
Object.assign(PlainDispatcher.prototype, { request });

/** Connection pool for one origin that tracks the delivery of its requests. */
export class ConnectionPool {
  readonly #pool: Pool;
  readonly #watch: PeerWatch;

  /** @param connectMs connection timeout in milliseconds */
  constructor(origin: string, { connectMs, ...options }: Pool.Options & { readonly connectMs: number }) {
    const watch = new PeerWatch(connectMs);
    this.#watch = watch;
    this.#pool = new PlainPool(origin, {
      ...options,
      connect: { timeout: connectMs },
      factory: (url, clientOptions) => new TrackedClient(url, clientOptions as ClientOptions, watch),
    });
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: DeliveryHandler): void {
    this.#watch.wake();
    this.#pool.dispatch(options, handler);
  }

  /** @param delivery updated as the request proceeds */
  request(options: Dispatcher.RequestOptions, delivery: Delivery): Promise<Dispatcher.ResponseData> {
    const tracked = {
      dispatch: (each: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) => {
        this.#watch.wake();
        return this.#pool.dispatch(each, new TrackedHandler(handler, delivery));
      },
    };
    return request.call(tracked, options);
  }

  /** Rejects new requests; resolves when those in flight have ended. */
  close(): Promise<void> {
    return this.#pool.close();
  }

  destroy(): Promise<void> {
    return this.#pool.destroy();
  }
}

type ClientOptions = Client.Options & {
  /** undici uses the return value to cancel a connection attempt that no request waits for any more. */
  readonly connect: (target: buildConnector.Options, callback: buildConnector.Callback) => unknown;
};

/** A client with one connection at a time, which it exposes to its requests. */
class TrackedClient extends PlainClient {
  readonly #connection: { socket: Socket | undefined };

  constructor(origin: URL, options: ClientOptions, watch: PeerWatch) {
    const connection: { socket: Socket | undefined } = { socket: undefined };
    super(origin, {
      ...options,
      connect: (target, callback) =>
        options.connect(target, (...args) => {
          const [, socket] = args;
          connection.socket = socket ?? undefined;
          if (socket != null) watch.add(socket, () => this.stats.running > 0);
          callback(...args);
        }),
    });
    this.#connection = connection;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if ("delivery" in handler) (handler as DeliveryHandler).delivery.connection = this.#connection;
    return super.dispatch(options, handler);
  }
}
