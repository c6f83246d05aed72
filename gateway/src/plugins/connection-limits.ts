import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import type { KeyStore } from "../auth/key-store.ts";
import { ApiError } from "../errors.ts";
import { closeAfterResponse, isClosing, respondAndClose } from "./raw-response.ts";

// Part of the connection limit available to clients that have not authenticated or sent a request yet.
const UNAUTHENTICATED_SHARE = 1 / 4;

// Time for a client's first request before it can be closed to make room.
const UNAUTHENTICATED_GRACE_MS = 1000;

// Maximum number of requests in flight per connection: HTTP/1.1 clients hardly ever pipeline.
const MAX_PIPELINED = 16;

// Interval of the log message about rejected connections.
const LOG_INTERVAL_MS = 10_000;

/** @param socket passed separately, as undici detaches it from a request whose body it aborts */
function closeUnread({ complete }: IncomingMessage, socket: Socket): void {
  if (complete || socket.destroyed || isClosing(socket)) return;
  closeAfterResponse(socket);
  socket.destroySoon();
}

/**
 * Limits the number of connections. At the limit, idle ones are closed to make room for a new one, which else gets a
 * 503. Unauthenticated clients cannot keep others out: the oldest of their connections is closed.
 */
export class ConnectionLimits {
  readonly #limit: number;
  readonly #app: FastifyInstance;
  /** Number of requests in flight by connection. */
  readonly #requests = new Map<Socket, number>();
  /** Time of arrival by connection, oldest first. */
  readonly #unauthenticated = new Map<Socket, number>();
  #loggedAt = -Infinity;

  constructor(app: FastifyInstance, limit: number) {
    this.#app = app;
    this.#limit = limit;
    app.server.on("connection", (socket) => {
      this.#accept(socket);
    });
    const timer = setInterval(() => {
      this.#closeUnauthenticated();
    }, UNAUTHENTICATED_GRACE_MS).unref();
    app.addHook("onClose", (_app, done) => {
      clearInterval(timer);
      done();
    });
  }

  /** Must be registered before hooks that do work for a request: requests on a closing connection are dropped. */
  limitRequests(): void {
    this.#app.addHook("onRequest", (request, reply, done) => {
      const { socket } = request.raw;
      if (this.#shouldDrop(socket)) {
        reply.hijack();
        return;
      }
      reply.raw.on("close", () => {
        this.#add(socket, -1);
        // undici detaches the socket from a request whose body it aborts, but the log needs the address.
        request.raw.socket = socket;
        // Do not wait for a body that no route has read. The part that came with the headers has been parsed by then.
        if (!request.raw.complete) setImmediate(closeUnread, request.raw, socket);
      });
      done();
    });
  }

  /** Must be registered after authentication: clients that get here are trusted. */
  trackAuthentication(keys: Pick<KeyStore, "isEmpty">): void {
    this.#app.addHook("onRequest", (request, _reply, done) => {
      if (request.consumer.name !== "" || keys.isEmpty) this.#unauthenticated.delete(request.raw.socket);
      done();
    });
  }

  /** Counts a request, and returns whether to drop it because its connection is closing or has too many in flight. */
  #shouldDrop(socket: Socket): boolean {
    if (this.#add(socket, 1) > MAX_PIPELINED) socket.destroy();
    return socket.destroyed || isClosing(socket);
  }

  #add(socket: Socket, requests: number): number {
    const before = this.#requests.get(socket);
    // Rejected or already closed.
    if (before === undefined) return 0;
    this.#requests.set(socket, before + requests);
    return before + requests;
  }

  #accept(socket: Socket): void {
    if (this.#requests.size >= this.#limit) this.#makeRoom();
    if (this.#requests.size >= this.#limit) {
      this.#reject(socket);
      return;
    }
    this.#requests.set(socket, 0);
    this.#unauthenticated.set(socket, performance.now());
    socket.once("close", () => {
      this.#forget(socket);
    });
  }

  #forget(socket: Socket): void {
    this.#requests.delete(socket);
    this.#unauthenticated.delete(socket);
  }

  #makeRoom(): void {
    this.#app.server.closeIdleConnections();
    for (const socket of this.#requests.keys()) if (socket.destroyed) this.#forget(socket);
    const [oldest] = this.#unauthenticated.keys();
    if (this.#requests.size >= this.#limit && oldest !== undefined) this.#close(oldest);
  }

  #closeUnauthenticated(): void {
    const before = performance.now() - UNAUTHENTICATED_GRACE_MS;
    for (const [socket, arrival] of this.#unauthenticated) {
      if (this.#unauthenticated.size <= this.#limit * UNAUTHENTICATED_SHARE || arrival > before) return;
      this.#close(socket);
    }
  }

  #close(socket: Socket): void {
    socket.destroy();
    this.#forget(socket);
  }

  #reject(socket: Socket): void {
    const now = performance.now();
    if (now - this.#loggedAt > LOG_INTERVAL_MS) {
      this.#loggedAt = now;
      this.#app.log.warn({ connections: this.#limit }, "connection limit reached, rejecting new connections");
    }
    respondAndClose(socket, new ApiError("connections_full"));
  }
}
