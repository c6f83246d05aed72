import type { Backend } from "./backend.ts";

// Conversations that go on at the same time, of many clients; each takes some 150 bytes.
const MAX_CONVERSATIONS = 16_384;

/** Which server a conversation ran on last: its slots may still have the prompt so far, which is then not read again. */
export class ConversationAffinity {
  readonly #servers = new Map<string, Backend>();

  serverOf(conversation: string): Backend | undefined {
    return this.#servers.get(conversation);
  }

  /** The conversation runs there now. The ones that ran longest ago are forgotten. */
  remember(conversation: string, backend: Backend): void {
    this.#servers.delete(conversation);
    const [oldest] = this.#servers.keys();
    if (this.#servers.size >= MAX_CONVERSATIONS && oldest !== undefined) this.#servers.delete(oldest);
    this.#servers.set(conversation, backend);
  }

  /** Forgets servers that are no more. */
  retain(servers: ReadonlySet<Backend>): void {
    for (const [conversation, backend] of this.#servers) {
      if (!servers.has(backend)) this.#servers.delete(conversation);
    }
  }
}
