import type { FastifyRequest } from "fastify";
import type { KeyStore } from "../auth/key-store.ts";
import { CountsByName } from "../lib/counts-by-name.ts";

// A body is held several times over: as values, as Ollama's request, and as the piece of it that is being sent. As many
// as may wait, each as large as it may be, would be more than the process has.

// Bodies without images. They have a budget of their own, so that a few large bodies do not keep them out.
const SMALL_BYTES = 64 * 1024;
const SMALL_SHARE = 1 / 4;

// What a value takes, a small object say, however few bytes of text it is.
const VALUE_BYTES = 64;

// One of several keys may hold this many times what it leaves free: three quarters while no other holds any, less the
// more they do. The next key so finds room, and who holds too much gets no more until it has given some back. A share
// for each key would be too small where there are many of them, most of them idle.
const TIMES_FREE = 3;

const RELEASED = -1;

declare module "fastify" {
  interface FastifyRequest {
    /** What its body is held to take, bytes; -1 once it is over. */
    bodyCost: number;
  }
}

/** Bounds what the bodies of all requests that are under way take together, and what one key may take of it. */
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

  /** Holds a request's body to take so much by now. False: there is no room. */
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

  /** The same for a body of which it is known how many values are in it. */
  chargeValues(request: FastifyRequest, bytes: number, values: number): boolean {
    return this.charge(request, Math.max(bytes, values * VALUE_BYTES));
  }

  /** A body turned out to take no more than this once it was decoded. */
  lower(request: FastifyRequest, bytes: number, values: number): void {
    const { name } = request.consumer;
    const [before, after] = [request.bodyCost, Math.max(bytes, values * VALUE_BYTES)];
    if (after >= before) return;
    this.#poolOf(before).add(name, -before);
    this.#poolOf(after).add(name, after);
    request.bodyCost = after;
  }

  /** The request is over. */
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
  #held = 0;
  /** By the key's name. */
  readonly #heldBy = new CountsByName();

  constructor(limit: number, keys: Pick<KeyStore, "hasMultiple">) {
    this.#limit = limit;
    this.#keys = keys;
  }

  /** @param counted how many of the bytes are held already */
  hasRoom(name: string, bytes: number, counted: number): boolean {
    const free = this.#limit - this.#held - bytes + counted;
    if (free < 0) return false;
    if (!this.#keys.hasMultiple) return true;
    const others = this.#heldBy.of(name) - counted;
    // A key's only body may take what there is: however large a body may be, it gets in.
    return others === 0 || others + bytes <= TIMES_FREE * free;
  }

  add(name: string, bytes: number): void {
    this.#held += bytes;
    this.#heldBy.add(name, bytes);
  }
}
