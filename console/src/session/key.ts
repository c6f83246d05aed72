import { signal } from "@preact/signals";
import { isText, load, save } from "../lib/storage.ts";

const NAME = "ollama-stack-key";
// It ends with the tab, and no other tab or request sees it.
const storage = () => sessionStorage;

/** The API key that is sent with each request. It is in no URL and in no cookie. */
export const apiKey = signal<string | undefined>(load(storage, NAME, isText));

/** Why the gateway did not take the last key; empty before one was entered, undefined as long as none is missing. */
export const keyRejection = signal<string | undefined>(undefined);

export function useKey(key: string): void {
  save(storage, NAME, key);
  keyRejection.value = undefined;
  apiKey.value = key;
}

/** Called for each 401, with the key that was sent. */
export function rejectKey(sent: string | undefined, reason: string): void {
  // The response may be of a key that has been replaced meanwhile.
  if (sent !== apiKey.value) return;
  keyRejection.value = sent === undefined ? "" : reason;
  forget();
}

export function signOut(): void {
  forget();
  keyRejection.value = "";
}

function forget(): void {
  save(storage, NAME, undefined);
  apiKey.value = undefined;
}
