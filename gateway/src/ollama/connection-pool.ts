import type { Pool } from "undici";
// Its parts, not its index: that loads a fetch, mocks and web sockets as well, 5 MiB of memory nobody uses.
import Dispatcher from "undici/lib/dispatcher/dispatcher.js";
import PlainPool from "undici/lib/dispatcher/pool.js";
import request from "undici/lib/api/api-request.js";

// As the index does.
Object.assign(Dispatcher.prototype, { request });

/** A pool of connections to one origin. */
export function newPool(origin: string, options: Pool.Options): Pool {
  return new PlainPool(origin, options);
}
