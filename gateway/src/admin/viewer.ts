import type { FastifyRequest } from "fastify";
import type { Consumer } from "../auth/consumer.ts";
import type { KeyStore } from "../auth/key-store.ts";

/** A user of the admin API, and what it may see. */
export class Viewer {
  readonly consumer: Consumer;
  /** Whether it may see and cancel the requests of all keys. */
  readonly admin: boolean;

  constructor({ consumer }: Pick<FastifyRequest, "consumer">, keys: Pick<KeyStore, "isEmpty">) {
    this.consumer = consumer;
    this.admin = consumer.admin || keys.isEmpty;
  }

  /** Whether it may see what belongs to a key. */
  sees(key: string): boolean {
    return this.admin || key === this.consumer.name;
  }

  /** Backend names are only shown to admins. */
  backend(name: string | undefined): string | null {
    return this.admin ? (name ?? null) : null;
  }

  allows(model: string): boolean {
    return this.consumer.allows(model);
  }
}
