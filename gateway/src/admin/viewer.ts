import type { FastifyRequest } from "fastify";
import type { Consumer } from "../auth/consumer.ts";
import type { KeyStore } from "../auth/key-store.ts";

/** Who uses the admin API, and what of it is shown to whom. */
export class Viewer {
  readonly consumer: Consumer;
  /** Sees and cancels the requests of all keys. */
  readonly admin: boolean;

  constructor({ consumer }: Pick<FastifyRequest, "consumer">, keys: Pick<KeyStore, "isEmpty">) {
    this.consumer = consumer;
    this.admin = consumer.admin || keys.isEmpty;
  }

  /** Whether it sees what belongs to a key. */
  sees(key: string): boolean {
    return this.admin || key === this.consumer.name;
  }

  /** Names of servers are for admins. */
  backend(name: string | undefined): string | null {
    return this.admin ? (name ?? null) : null;
  }

  allows(model: string): boolean {
    return this.consumer.allows(model);
  }
}
