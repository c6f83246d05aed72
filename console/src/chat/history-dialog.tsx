import { formatTime, plural } from "../lib/format.ts";
import { Dialog } from "../ui/dialog.tsx";
import { Icon } from "../ui/icons.tsx";
import { titleOf } from "./conversation.ts";
import { conversations, deleteAllChats, deleteChat, showChat } from "./store.ts";

/** The chats stored in this browser. */
export function HistoryDialog({ onClose }: { readonly onClose: () => void }) {
  const chats = conversations.value;
  return (
    <Dialog title="History" onClose={onClose} kind="side-panel">
      <p class="muted">Chats are kept in this browser only.</p>
      {chats.length === 0 && <p>No chats yet.</p>}
      <ul class="chat-list">
        {chats.map((chat) => (
          <li key={chat.id}>
            <button
              type="button"
              class="quiet chat-entry"
              onClick={() => {
                showChat(chat.id);
                onClose();
              }}
            >
              <span>{titleOf(chat)}</span>
              <span class="muted small-text">
                {formatTime(new Date(chat.changedAt).toISOString())} ·{" "}
                {plural(chat.messages.length, "message")}
              </span>
            </button>
            <button
              type="button"
              class="quiet icon-button"
              aria-label={`Delete: ${titleOf(chat)}`}
              onClick={() => {
                deleteChat(chat.id);
              }}
            >
              <Icon name="trash" />
            </button>
          </li>
        ))}
      </ul>
      {chats.length > 0 && (
        <button type="button" onClick={deleteAllChats}>
          Delete all chats
        </button>
      )}
    </Dialog>
  );
}
