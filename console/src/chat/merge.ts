import type { Conversation } from "./conversation.ts";

/**
 * Merges the chats of this tab with those that other tabs have stored, newest first. A chat that one side has removed
 * is removed, unless the other side has changed it since.
 *
 * @param known the stored chats as this tab last saw them
 */
export function mergeChats(
  known: readonly Conversation[],
  ours: readonly Conversation[],
  stored: readonly Conversation[],
): Conversation[] {
  const byId = (chats: readonly Conversation[]) => new Map(chats.map((chat) => [chat.id, chat]));
  const [knownById, ourById, storedById] = [byId(known), byId(ours), byId(stored)];
  return [...new Map([...storedById, ...ourById]).keys()]
    .flatMap((id) => {
      const [our, other] = [ourById.get(id), storedById.get(id)];
      if (our !== undefined && other !== undefined) return other.changedAt > our.changedAt ? other : our;
      const only = our ?? other;
      const before = knownById.get(id)?.changedAt ?? -Infinity;
      return only === undefined || only.changedAt <= before ? [] : only;
    })
    .sort((a, b) => b.changedAt - a.changedAt || (a.id < b.id ? -1 : 1));
}
