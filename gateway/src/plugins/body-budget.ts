import type { FastifyRequest } from "fastify";
import type { KeyStore } from "../auth/key-store.ts";
import { CountsByName } from "../lib/counts-by-name.ts";

// A body exists several times: as values, as Ollama's request, and as the chunk being sent. The maximum number of
// queued requests, each of the maximum size, would exceed the memory of the process.

// Bodies without images. They have a separate budget, so that a few large bodies cannot block them.
const SMALL_BYTES = 64 * 1024;
const SMALL_SHARE = 1 / 4;

// Minimum memory per JSON value, such as a small object, regardless of its text.
const VALUE_BYTES = 64;

// One of several keys may hold up to this multiple of the free budget: 75 % while the others hold nothing, and less the
// more they hold. There is always room for the next key, and a key over its share gets no more until it has released
// some. Fixed shares would be too small with many keys, most of them idle.
const MAX_TIMES_FREE = 3;

const RELEASED = -1;

declare module "fastify" {
  interface FastifyRequest {
    /** Memory charged for its body, in bytes; -1 once released. */
    bodyCost: number;
  }
}

/** Limits the memory used by the bodies of all requests in flight, and the share of each key. */
export class BodyBudget {
  readonly #small: Pool;
  readonly #large: Pool;

  constructor(limitBytes: number, keys: Pick<KeyStore, "hasMultiple">) {
    this.#small = new Pool(Math.max(limitBytes * SMALL_SHARE, SMALL_BYTES), keys);
    this.#large = new Pool(limitBytes, keys);
  }

  hasRoom(request: FastifyRequest, bytes: number): boolean {
    return this.#poolOf(bytes).hasRoom(request.consumer.name, bytes, 0);
  }

  /** Updates the charge of a request's body to `bytes`. Returns false if that exceeds the budget. */
  charge(request: FastifyRequest, bytes: number): boolean {
    const { name } = request.consumer;
    const before = request.bodyCost;
    if (before === RELEASED || bytes <= before) return true;
    const [from, to] = [this.#poolOf(before), this.#poolOf(bytes)];
    if (!to.hasRoom(name, bytes, from === to ? before : 0)) return false;
    if (before > 0) from.add(name, -before);
    to.add(name, bytes);
    request.bodyCost = bytes;
    return true;
  }

  /** Like `charge`, for a body whose number of JSON values is known. */
  chargeValues(request: FastifyRequest, bytes: number, values: number): boolean {
    return this.charge(request, Math.max(bytes, values * VALUE_BYTES));
  }

  /** Lowers the charge of a body after it has been decoded. */
  lower(request: FastifyRequest, bytes: number, values: number): void {
    const { name } = request.consumer;
    const [before, after] = [request.bodyCost, Math.max(bytes, values * VALUE_BYTES)];
    if (after >= before) return;
    this.#poolOf(before).add(name, -before);
    this.#poolOf(after).add(name, after);
    request.bodyCost = after;
  }

  /** Releases the charge of a finished request. */
  release(request: FastifyRequest): void {
    const { bodyCost } = request;
    if (bodyCost > 0) this.#poolOf(bodyCost).add(request.consumer.name, -bodyCost);
    request.bodyCost = RELEASED;
  }

  #poolOf(bytes: number): Pool {
    return bytes <= SMALL_BYTES ? this.#small : this.#large;
  }
}

class Pool {
  readonly #limit: number;
  readonly #keys: Pick<KeyStore, "hasMultiple">;
  /** By key name. */
  readonly #used = new CountsByName();

  constructor(limit: number, keys: Pick<KeyStore, "hasMultiple">) {
    this.#limit = limit;
    this.#keys = keys;
  }

  /** @param counted number of the bytes that are already charged */
  hasRoom(name: string, bytes: number, counted: number): boolean {
    const free = this.#limit - this.#used.total - bytes + counted;
    if (free < 0) return false;
    if (!this.#keys.hasMultiple) return true;
    const others = this.#used.of(name) - counted;
    // A key's only body may use all that is free, so that a body of any permitted size is accepted.
    return others === 0 || others + bytes <= MAX_TIMES_FREE * free;
  }

  add(name: string, bytes: number): void {
    this.#used.add(name, bytes);
  }
}
