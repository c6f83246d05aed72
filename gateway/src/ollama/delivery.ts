import type { Socket } from "node:net";
import type { Dispatcher } from "undici";

/** How far the delivery of a request has come. */
export type Stage =
  /** No connection yet. */
  | "connecting"
  /** Part of the request is still in this process, so the server cannot have received it completely. */
  | "sending"
  /** The kernel has taken the last byte, so the server may have received and acted on the request. */
  | "waiting"
  /** The response has begun. */
  | "responding";

/** Tracks the delivery of one request. */
export class Delivery {
  /** The connection that the request was dispatched to. */
  connection: { readonly socket: Socket | undefined } | undefined;
  #stage: Stage = "connecting";

  get stage(): Stage {
    return this.#stage;
  }

  started(): void {
    this.#stage = "sending";
  }

  /** The request was written to the socket, whose buffer may still have a part. */
  written(): void {
    const socket = this.connection?.socket;
    if (socket === undefined || socket.writableLength === 0) {
      this.#sent();
      return;
    }
    // The callback runs once all earlier writes have been flushed.
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

/** A handler whose request is tracked. */
export interface DeliveryHandler extends Dispatcher.DispatchHandler {
  readonly delivery: Delivery;
}

/** Adds tracking to a handler without it. */
export class TrackedHandler implements DeliveryHandler {
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
