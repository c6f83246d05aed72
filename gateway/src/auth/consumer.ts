import type { KeyDefinition } from "./api-keys.ts";
import { Limits } from "./rate-limits.ts";
import { canonicalModelName } from "../ollama/model-name.ts";

/** Whose request it is, and what that allows. */
export class Caller {
  readonly name: string;
  /** May use the routes that change the server. */
  readonly admin: boolean;
  readonly limits: Limits;
  readonly #models: ReadonlySet<string> | undefined;

  constructor({ name = "", admin = false, models, ...limits }: Partial<KeyDefinition>) {
    this.name = name;
    this.admin = admin;
    this.limits = new Limits(limits);
    this.#models = models;
  }

  allows(model: string): boolean {
    return this.#models?.has(canonicalModelName(model)) ?? true;
  }
}
