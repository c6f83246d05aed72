import { Transform } from "node:stream";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiError } from "../errors.ts";
import type { KeyRing } from "../auth/key-store.ts";

// A body is held up to four times over: as text, as values, as Ollama's request and as its bytes. As many as may wait,
// each as large as it may be, would be more than the process has.

// Bodies without images: as many as may wait are few MiB, and they are not to be refused because of a few large ones.
const SMALL_BYTES = 64 * 1024;

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
  readonly #limit: number;
  readonly #keys: Pick<KeyRing, "several">;
  #held = 0;
  /** By the key's name. */
  readonly #heldBy = new Map<string, number>();

  constructor(limitBytes: number, keys: Pick<KeyRing, "several">) {
    this.#limit = limitBytes;
    this.#keys = keys;
  }

  hasRoom(request: FastifyRequest, bytes: number): boolean {
    return bytes <= SMALL_BYTES || this.#mayHold(request, bytes);
  }

  /** Holds a request's body to take so much by now. False: there is no room. */
  charge(request: FastifyRequest, bytes: number): boolean {
    const before = request.bodyCost;
    if (before === RELEASED || bytes <= SMALL_BYTES || bytes <= before) return true;
    if (!this.#mayHold(request, bytes)) return false;
    this.#hold(request, bytes - before);
    request.bodyCost = bytes;
    return true;
  }

  /** The same for a body that has come whole: by its text, and by how many values are in it. */
  chargeWhole(request: FastifyRequest, text: string, values: number): boolean {
    return this.charge(request, Math.max(text.length, values * VALUE_BYTES));
  }

  /** The request is over. */
  release(request: FastifyRequest): void {
    if (request.bodyCost > 0) this.#hold(request, -request.bodyCost);
    request.bodyCost = RELEASED;
  }

  #mayHold(request: FastifyRequest, bytes: number): boolean {
    const free = this.#limit - this.#held - bytes + request.bodyCost;
    if (free < 0) return false;
    const besides = (this.#heldBy.get(request.caller.name) ?? 0) - request.bodyCost;
    // A key's only body may take what there is: however large a body may be, it gets in.
    return besides === 0 || !this.#keys.several || besides + bytes <= TIMES_FREE * free;
  }

  #hold(request: FastifyRequest, more: number): void {
    const { name } = request.caller;
    const held = (this.#heldBy.get(name) ?? 0) + more;
    this.#held += more;
    // Names of keys that are gone are not kept.
    if (held === 0) this.#heldBy.delete(name);
    else this.#heldBy.set(name, held);
  }
}

/**
 * Refuses bodies that have no room, before they are read, or as soon as it is known how long they get.
 *
 * @param bodyLimit of one body, bytes: what is longer is refused by who reads it
 * @param unlimited patterns of the routes whose bodies are passed on as they come
 */
export function boundBodies(
  app: FastifyInstance,
  budget: BodyBudget,
  bodyLimit: number,
  unlimited: ReadonlySet<string>,
): void {
  app.decorateRequest("bodyCost", 0);
  app.addHook("preParsing", (request, reply, payload, done) => {
    const { "content-length": length, "transfer-encoding": encoding } = request.headers;
    const told = Number(length ?? 0);
    if (
      (told <= SMALL_BYTES && encoding === undefined) ||
      request.method !== "POST" ||
      unlimited.has(request.routeOptions.url ?? "")
    ) {
      done(null, payload);
      return;
    }
    if (told <= bodyLimit && !budget.hasRoom(request, told)) {
      done(new ApiError("bodies_full"));
      return;
    }
    // Counted as it comes: what is only announced takes nothing, and keeps nobody out.
    let seen = 0;
    const counted = new Transform({
      transform(piece: Buffer, _encoding, next) {
        seen += piece.length;
        if (seen > bodyLimit || budget.charge(request, seen)) next(null, piece);
        else next(new ApiError("bodies_full"));
      },
    });
    // What is still to come then is read and forgotten, so that the client gets to read its answer.
    const forget = (): void => {
      request.raw.unpipe(counted).resume();
      counted.destroy();
    };
    counted.once("error", forget);
    reply.raw.once("close", forget);
    done(null, request.raw.pipe(counted));
  });
}
