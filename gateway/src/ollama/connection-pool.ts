import type { Socket } from "node:net";
import type { Client, Dispatcher } from "undici";
// Imports parts of undici: its index also loads fetch, mocks and WebSocket, 5 MiB of unused memory.
import request from "undici/lib/api/api-request.js";
import buildConnector from "undici/lib/core/connect.js";
import PlainClient from "undici/lib/dispatcher/client.js";
import { type Delivery, type DeliveryHandler, TrackedHandler } from "./delivery.ts";
import { PeerWatch } from "../lib/network/peer-watch.ts";

interface PoolOptions {
  /** Connection timeout in milliseconds. */
  readonly connectMs: number;
  /** How long an idle connection stays open, in milliseconds. */
  readonly keepAliveMs: number;
}

/** undici's type lacks the return value. */
type Connect = (target: buildConnector.Options, callback: buildConnector.Callback) => unknown;

/** A client with one connection at a time. */
interface Member {
  readonly client: Client;
  socket: Socket | undefined;
  isIdle: boolean;
}

/**
 * Connections to one origin, one for each concurrent request. Unlike undici's Pool, it knows the connection of each
 * request, which tracks the request's delivery.
 */
export class ConnectionPool {
  /** Parsed once for all clients. */
  readonly #origin: URL;
  readonly #keepAliveMs: number;
  readonly #watch: PeerWatch;
  readonly #connect: Connect;
  readonly #members: Member[] = [];
  /** The last used one last, so that the others reach their timeout. */
  readonly #idle: Member[] = [];
  #isClosed = false;

  constructor(origin: string, { connectMs, keepAliveMs }: PoolOptions) {
    this.#origin = new URL(origin);
    this.#keepAliveMs = keepAliveMs;
    this.#watch = new PeerWatch(connectMs);
    this.#connect = buildConnector({ timeout: connectMs });
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: DeliveryHandler): void {
    this.#watch.wake();
    const member = this.#idle.pop() ?? this.#open();
    member.isIdle = false;
    handler.delivery.connection = member;
    member.client.dispatch(options, handler);
    // Rejected without having begun.
    this.#offer(member);
  }

  /** @param delivery updated as the request proceeds */
  request(options: Dispatcher.RequestOptions, delivery: Delivery): Promise<Dispatcher.ResponseData> {
    const tracked = {
      dispatch: (each: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) => {
        this.dispatch(each, new TrackedHandler(handler, delivery));
        return true;
      },
    };
    return request.call(tracked, options);
  }

  /** Rejects new requests; resolves when those in flight have ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#members.map(({ client }) => client.close()));
  }

  async destroy(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#members.map(({ client }) => client.destroy()));
  }

  /** Makes a client available for the next request if it has none. */
  #offer(member: Member): void {
    if (member.isIdle || member.client.stats.size > 0) return;
    member.isIdle = true;
    this.#idle.push(member);
  }

  #open(): Member {
    // undici uses the return value to cancel an attempt that no request waits for any more.
    const connect: Connect = (target, callback) =>
      this.#connect(target, (...args) => {
        const [, socket] = args;
        member.socket = socket ?? undefined;
        if (socket != null) this.#watch.add(socket, () => client.stats.running > 0);
        callback(...args);
      });
    const client = new PlainClient(this.#origin, {
      pipelining: 1,
      keepAliveTimeout: this.#keepAliveMs,
      connect,
    });
    const member: Member = { client, socket: undefined, isIdle: false };
    // Its request has ended.
    client.on("drain", () => {
      this.#offer(member);
    });
    this.#members.push(member);
    if (this.#isClosed) void client.close();
    return member;
  }
}
