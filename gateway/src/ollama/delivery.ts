import type { Socket } from "node:net";
import type { Dispatcher } from "undici";

/** How far a request to a server has come. */
export type Stage =
  /** No connection yet. */
  | "connecting"
  /** Some of the request is still in this process, so the server cannot have all of it. */
  | "sending"
  /** The kernel has taken its last byte, so the server may have all of it and may have acted on it. */
  | "waiting"
  /** The server has begun its response. */
  | "responding";

/** Follows one request on its way to the server. */
export class Delivery {
  /** The connection that the request was given to. */
  connection: { readonly socket: Socket | undefined } | undefined;
  #stage: Stage = "connecting";

  get stage(): Stage {
    return this.#stage;
  }

  started(): void {
    this.#stage = "sending";
  }

  /** The request has been written to its socket, which may still hold some of it. */
  written(): void {
    const socket = this.connection?.socket;
    if (socket === undefined || socket.writableLength === 0) {
      this.#sent();
      return;
    }
    // Its callback comes once all that was written before is gone.
    socket.write("", (error) => {
      if (error == null) this.#sent();
    });
  }

  responded(): void {
    this.#stage = "responding";
  }

  #sent(): void {
    if (this.#stage === "sending") this.#stage = "waiting";
  }
}

/** A handler whose request is followed. */
export interface DeliveryHandler extends Dispatcher.DispatchHandler {
  readonly delivery: Delivery;
}

/** Follows the request of a handler that does not do so itself. */
export class FollowedHandler implements DeliveryHandler {
  readonly delivery: Delivery;
  readonly #handler: Dispatcher.DispatchHandler;

  constructor(handler: Dispatcher.DispatchHandler, delivery: Delivery) {
    this.#handler = handler;
    this.delivery = delivery;
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    this.delivery.started();
    this.#handler.onRequestStart?.(controller, context);
  }

  onRequestSent(): void {
    this.delivery.written();
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseStart"]>>[2],
    statusMessage?: string,
  ): void {
    this.delivery.responded();
    this.#handler.onResponseStart?.(controller, status, headers, statusMessage);
  }

  onResponseData(controller: Dispatcher.DispatchController, piece: Buffer): void {
    this.#handler.onResponseData?.(controller, piece);
  }

  onResponseEnd(
    controller: Dispatcher.DispatchController,
    trailers: Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseEnd"]>>[1],
  ): void {
    this.#handler.onResponseEnd?.(controller, trailers);
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    this.#handler.onResponseError?.(controller, error);
  }
}
