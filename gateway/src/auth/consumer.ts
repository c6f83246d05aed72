import type { BlockList } from "node:net";
import { blockListOf, contains, plainAddress } from "../lib/network/cidr.ts";
import { canonicalModelName } from "../ollama/model-name.ts";
import type { KeyDefinition } from "./api-keys.ts";
import { RateLimits } from "./rate-limits.ts";
import { allowsRoute } from "./route-groups.ts";

/** The sender of a request and its permissions. All keys of one name are one consumer. */
export class Consumer {
  readonly name: string;
  /** May use the routes that modify the server. */
  readonly admin: boolean;
  /** May set runner options, and contexts that make Ollama reload a model. Admins always may. */
  readonly options: boolean;
  readonly limits: RateLimits;
  readonly #models: ReadonlySet<string> | undefined;
  readonly #routes: readonly string[] | undefined;
  readonly #from: BlockList | undefined;

  /** @param limits may carry over usage from before a change of the key */
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

  /** @param route pattern of the matched route; undefined for an unknown route, which is always allowed */
  allowsRoute(route: string | undefined): boolean {
    return this.#routes === undefined || route === undefined || allowsRoute(this.#routes, route);
  }

  /**
   * @param client its `ip` is only read if needed, as computing it parses proxy headers. May be an IPv4-mapped IPv6
   *   address
   */
  allowsAddress(client: { readonly ip: string }): boolean {
    return this.#from === undefined || contains(this.#from, plainAddress(client.ip));
  }
}
