import type { Backend } from "./backend.ts";

// Conversations that are remembered at least, of those that ran last; each takes some 150 bytes.
const REMEMBERED = 8192;

/** Which server a conversation ran on last: its slots may still have the prompt so far, which is then not read again. */
export class ConversationAffinity {
  // Two maps in place of one in the order of use: to find the oldest of a Map, Node.js steps over all that were deleted.
  #recent = new Map<string, Backend>();
  #older = new Map<string, Backend>();

  serverOf(conversation: string): Backend | undefined {
    return this.#recent.get(conversation) ?? this.#older.get(conversation);
  }

  /** The conversation runs there now. Those that ran longest ago are forgotten. */
  remember(conversation: string, backend: Backend): void {
    this.#recent.set(conversation, backend);
    if (this.#recent.size < REMEMBERED) return;
    this.#older = this.#recent;
    this.#recent = new Map();
  }

  /** Forgets servers that are no more. */
  retain(servers: ReadonlySet<Backend>): void {
    for (const conversations of [this.#recent, this.#older]) {
      for (const [conversation, backend] of conversations) {
        if (!servers.has(backend)) conversations.delete(conversation);
      }
    }
  }
}
