import type { BlockList } from "node:net";
import { isIPv4 } from "node:net";
import { canonicalModelName } from "../ollama/model-name.ts";
import type { KeyDefinition } from "./api-keys.ts";
import { blockListOf } from "./key-fields.ts";
import { RateLimits } from "./rate-limits.ts";
import { allowsRoute } from "./route-groups.ts";

/** Whose request it is, and what that allows: all keys of one name are one consumer. */
export class Consumer {
  readonly name: string;
  /** May use the routes that change the server. */
  readonly admin: boolean;
  /** May send runner options, and contexts that make Ollama load a model again. An admin may. */
  readonly options: boolean;
  readonly limits: RateLimits;
  readonly #models: ReadonlySet<string> | undefined;
  readonly #routes: readonly string[] | undefined;
  readonly #from: BlockList | undefined;

  /** @param limits those of the same consumer before its key changed, with what was used of them */
  constructor(
    { name = "", admin = false, options = false, models, routes, from, ...rest }: Partial<KeyDefinition>,
    limits = new RateLimits(rest),
  ) {
    this.name = name;
    this.admin = admin;
    this.options = options || admin;
    this.limits = limits;
    this.#models = models;
    this.#routes = routes;
    this.#from = from === undefined ? undefined : blockListOf(from);
  }

  allows(model: string): boolean {
    return this.#models?.has(canonicalModelName(model)) ?? true;
  }

  /** @param route the pattern that the route is registered under; undefined: there is none, which is no secret */
  allowsRoute(route: string | undefined): boolean {
    return this.#routes === undefined || route === undefined || allowsRoute(this.#routes, route);
  }

  /**
   * @param client whose address is read only where it matters, because a request parses the headers of proxies for it;
   *   an IPv4 address may be written as IPv6 does it
   */
  allowsAddress(client: { readonly ip: string }): boolean {
    if (this.#from === undefined) return true;
    const plain = client.ip.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "");
    return this.#from.check(plain, isIPv4(plain) ? "ipv4" : "ipv6");
  }
}
