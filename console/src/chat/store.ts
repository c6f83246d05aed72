import { computed, effect, signal } from "@preact/signals";
import { load, save } from "../lib/storage.ts";
import {
  type ChatMessage,
  type ChatSettings,
  type Conversation,
  defaultSettings,
  thinkingLevels,
} from "./conversation.ts";
import { mergeChats } from "./merge.ts";

// Chats are stored in this browser, without images, which are too large for its storage.
const storage = () => localStorage;
const CHATS = "ollama-stack-chats";
const SETTINGS = "ollama-stack-chat-settings";
const MAX_CHATS = 30;

export const chatSettings = signal<ChatSettings>(loadSettings());
export const conversations = signal<readonly Conversation[]>(load(storage, CHATS, isConversations) ?? []);
const currentId = signal<string | undefined>(conversations.value[0]?.id);

/** The stored chats as this tab last saw them. */
let known = conversations.value;

/** The selected chat; undefined for a new one. */
export const current = computed(() => conversations.value.find(({ id }) => id === currentId.value));

export function persistChats(): void {
  effect(() => {
    save(storage, SETTINGS, chatSettings.value);
  });
  effect(() => {
    const chats = conversations.value;
    // Do not save many times a second while streaming.
    if (chats.some(({ messages }) => messages.some(({ state }) => state === "streaming"))) return;
    const merged = mergeStored(chats);
    const stored = merged.map((chat) => ({ ...chat, messages: chat.messages.map(withoutImages) }));
    // Drops the oldest chats if the browser's storage is full.
    let count = stored.length;
    while (!save(storage, CHATS, stored.slice(0, count)) && count > 0) count >>= 1;
    known = stored.slice(0, count);
    conversations.value = merged;
  });
  // Another tab has stored its chats.
  addEventListener("storage", ({ key }) => {
    if (key === CHATS) conversations.value = mergeStored(conversations.value);
  });
}

/** Merges with what other tabs have stored; returns the same array if that changes nothing. */
function mergeStored(chats: readonly Conversation[]): readonly Conversation[] {
  const stored = load(storage, CHATS, isConversations) ?? [];
  const merged = mergeChats(known, chats, stored).slice(0, MAX_CHATS);
  known = stored;
  return merged.length === chats.length && merged.every((chat, n) => chat === chats[n]) ? chats : merged;
}

export function changeSettings(change: Partial<ChatSettings>): void {
  chatSettings.value = { ...chatSettings.value, ...change };
}

export function newChat(): void {
  currentId.value = undefined;
}

export function showChat(id: string): void {
  currentId.value = id;
}

export function deleteChat(id: string): void {
  conversations.value = conversations.value.filter((chat) => chat.id !== id);
}

export function deleteAllChats(): void {
  conversations.value = [];
}

/** Replaces the messages of a chat, or starts a new one; returns its ID. */
export function setMessages(messages: readonly ChatMessage[], id = current.value?.id): string {
  const chat = { id: id ?? newId(), changedAt: Date.now(), messages };
  const others = conversations.value.filter((each) => each.id !== chat.id);
  conversations.value = [chat, ...others].slice(0, MAX_CHATS);
  if (id === undefined) currentId.value = chat.id;
  return chat.id;
}

/** Updates the last message of a chat, unless it was deleted. */
export function changeLastMessage(id: string, change: Partial<ChatMessage>): void {
  conversations.value = conversations.value.map((chat) => {
    const last = chat.messages.at(-1);
    if (chat.id !== id || last === undefined) return chat;
    const messages = [...chat.messages.slice(0, -1), { ...last, ...change }];
    return { ...chat, changedAt: Date.now(), messages };
  });
}

/** Browsers offer randomUUID only in secure contexts. */
function newId(): string {
  return [...crypto.getRandomValues(new Uint8Array(12))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

function withoutImages({ images, ...message }: ChatMessage): ChatMessage {
  return images === undefined
    ? message
    : { ...message, text: message.text === "" ? "(images)" : message.text };
}

function loadSettings(): ChatSettings {
  const isObject = (value: unknown): value is Record<string, unknown> =>
    typeof value === "object" && value !== null;
  const loaded = load(storage, SETTINGS, isObject) ?? {};
  const known = Object.keys(defaultSettings).flatMap((name) => {
    const value = loaded[name];
    return typeof value === "string" ? [[name, value] as const] : [];
  });
  const settings = { ...defaultSettings, ...(Object.fromEntries(known) as Partial<ChatSettings>) };
  return thinkingLevels.includes(settings.thinking) ? settings : { ...settings, thinking: "default" };
}

function isConversations(value: unknown): value is readonly Conversation[] {
  return Array.isArray(value) && value.every(isConversation);
}

function isConversation(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { id, changedAt, messages } = value as Partial<Record<keyof Conversation, unknown>>;
  const isMessage = (each: unknown) =>
    typeof each === "object" && each !== null && "text" in each && typeof each.text === "string";
  return (
    typeof id === "string" &&
    typeof changedAt === "number" &&
    Array.isArray(messages) &&
    messages.every(isMessage)
  );
}
