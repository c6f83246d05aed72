import { signal } from "@preact/signals";
import { isText, load, save } from "../lib/storage.ts";

const NAME = "ollama-stack-key";
// Limited to this tab, and never sent by the browser itself.
const storage = () => sessionStorage;

/** The API key, sent as a header with each request; never in a URL or cookie. */
export const apiKey = signal<string | undefined>(load(storage, NAME, isText));

/** Why the gateway rejected the last key; empty before one was entered, undefined if no key is needed. */
export const keyRejection = signal<string | undefined>(undefined);

export function useKey(key: string): void {
  save(storage, NAME, key);
  keyRejection.value = undefined;
  apiKey.value = key;
}

/** Called for each 401 with the key that was sent. */
export function rejectKey(sent: string | undefined, reason: string): void {
  // The key may have been replaced in the meantime.
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
