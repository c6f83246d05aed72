import type { Backend } from "./backend.ts";

// Minimum number of conversations to remember. An entry takes about 150 bytes.
const REMEMBERED = 8192;

/** Remembers which backend ran a conversation last, as its prompt cache may still hold the conversation. */
export class ConversationAffinity {
  // Two generations instead of an LRU list: finding the oldest entry of a Map skips over all deleted ones.
  #recent = new Map<string, Backend>();
  #older = new Map<string, Backend>();

  serverOf(conversation: string): Backend | undefined {
    return this.#recent.get(conversation) ?? this.#older.get(conversation);
  }

  /** Records the backend of a conversation, and may forget the least recent ones. */
  remember(conversation: string, backend: Backend): void {
    this.#recent.set(conversation, backend);
    if (this.#recent.size < REMEMBERED) return;
    this.#older = this.#recent;
    this.#recent = new Map();
  }

  /** Forgets removed backends. */
  retain(servers: ReadonlySet<Backend>): void {
    for (const conversations of [this.#recent, this.#older]) {
      for (const [conversation, backend] of conversations) {
        if (!servers.has(backend)) conversations.delete(conversation);
      }
    }
  }
}
