import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import type { KeyStore } from "../auth/key-store.ts";
import { ApiError } from "../errors.ts";
import { closeAfterResponse, isClosing, respondAndClose } from "./raw-response.ts";

// The part of all connections that may belong to clients that have not shown a key, or sent no request, yet.
const STRANGERS_SHARE = 1 / 4;

// How long a client has for its first request before it counts as such.
const STRANGERS_GRACE_MS = 1000;

// Requests that a connection may have under way: clients of HTTP/1.1 hardly ever send one before they have a response.
const MAX_PIPELINED = 16;

// How often it is logged that connections are refused.
const LOG_INTERVAL_MS = 10_000;

/** @param socket undici takes it from a request whose body it gives up */
function closeUnread({ complete }: IncomingMessage, socket: Socket): void {
  if (complete || socket.destroyed || isClosing(socket)) return;
  closeAfterResponse(socket);
  socket.destroySoon();
}

/**
 * Bounds the connections. At the limit, idle ones are closed to make room for a new one, or it gets a 503. A client
 * that has yet to show a key never keeps others out: of those the oldest is closed.
 */
export class ConnectionLimits {
  readonly #limit: number;
  readonly #app: FastifyInstance;
  /** How many requests each connection has under way. */
  readonly #requests = new Map<Socket, number>();
  /** When each arrived, in this order. */
  readonly #strangers = new Map<Socket, number>();
  #loggedAt = -Infinity;

  constructor(app: FastifyInstance, limit: number) {
    this.#app = app;
    this.#limit = limit;
    app.server.on("connection", (socket) => {
      this.#accept(socket);
    });
    const timer = setInterval(() => {
      this.#closeStrangers();
    }, STRANGERS_GRACE_MS).unref();
    app.addHook("onClose", (_app, done) => {
      clearInterval(timer);
      done();
    });
  }

  /** Registered before all that works for a request: what comes on a connection that is being closed is dropped. */
  limitRequests(): void {
    this.#app.addHook("onRequest", (request, reply, done) => {
      const { socket } = request.raw;
      if (this.#isUnwelcome(socket)) {
        reply.hijack();
        return;
      }
      reply.raw.on("close", () => {
        this.#add(socket, -1);
        // undici takes it from a request whose body it gives up, and the log needs the address.
        request.raw.socket = socket;
        // A body that no route has read is not waited for. What came with the headers is read by then.
        if (!request.raw.complete) setImmediate(closeUnread, request.raw, socket);
      });
      done();
    });
  }

  /** Registered behind authentication: who gets this far is no stranger. */
  recognize(keys: Pick<KeyStore, "isEmpty">): void {
    this.#app.addHook("onRequest", (request, _reply, done) => {
      if (request.consumer.name !== "" || keys.isEmpty) this.#strangers.delete(request.raw.socket);
      done();
    });
  }

  /** Counts a request. Whether it is dropped: its connection is being closed, or has too many under way. */
  #isUnwelcome(socket: Socket): boolean {
    if (this.#add(socket, 1) > MAX_PIPELINED) socket.destroy();
    return socket.destroyed || isClosing(socket);
  }

  #add(socket: Socket, requests: number): number {
    const before = this.#requests.get(socket);
    // It was refused, or is gone.
    if (before === undefined) return 0;
    this.#requests.set(socket, before + requests);
    return before + requests;
  }

  #accept(socket: Socket): void {
    if (this.#requests.size >= this.#limit) this.#makeRoom();
    if (this.#requests.size >= this.#limit) {
      this.#refuse(socket);
      return;
    }
    this.#requests.set(socket, 0);
    this.#strangers.set(socket, performance.now());
    socket.once("close", () => {
      this.#forget(socket);
    });
  }

  #forget(socket: Socket): void {
    this.#requests.delete(socket);
    this.#strangers.delete(socket);
  }

  #makeRoom(): void {
    this.#app.server.closeIdleConnections();
    for (const socket of this.#requests.keys()) if (socket.destroyed) this.#forget(socket);
    const [oldest] = this.#strangers.keys();
    if (this.#requests.size >= this.#limit && oldest !== undefined) this.#close(oldest);
  }

  #closeStrangers(): void {
    const before = performance.now() - STRANGERS_GRACE_MS;
    for (const [socket, arrival] of this.#strangers) {
      if (this.#strangers.size <= this.#limit * STRANGERS_SHARE || arrival > before) return;
      this.#close(socket);
    }
  }

  #close(socket: Socket): void {
    socket.destroy();
    this.#forget(socket);
  }

  #refuse(socket: Socket): void {
    const now = performance.now();
    if (now - this.#loggedAt > LOG_INTERVAL_MS) {
      this.#loggedAt = now;
      this.#app.log.warn(
        { connections: this.#limit },
        "connection limit reached, new connections are refused",
      );
    }
    respondAndClose(socket, new ApiError("connections_full"));
  }
}
