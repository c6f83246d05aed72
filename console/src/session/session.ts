import { effect, signal } from "@preact/signals";
import type { Session } from "../../../gateway/src/admin/contract/session.ts";
import { messageOf, requestJson } from "../api/request.ts";
import { apiKey, keyRejection } from "./key.ts";

/** What the caller is and may do; undefined until the gateway has told. */
export const session = signal<Session | undefined>(undefined);

/** Why there is no session, unless for lack of a key. */
export const sessionError = signal<string | undefined>(undefined);

const RETRY_MS = 3000;

let retry: ReturnType<typeof setTimeout> | undefined;

async function loadSession(): Promise<void> {
  clearTimeout(retry);
  const key = apiKey.value;
  try {
    const loaded = await requestJson<Session>("admin/session");
    if (key !== apiKey.value) return;
    session.value = loaded;
    sessionError.value = undefined;
  } catch (error) {
    if (keyRejection.value !== undefined || key !== apiKey.value) return;
    sessionError.value = messageOf(error);
    retry = setTimeout(() => void loadSession(), RETRY_MS);
  }
}

/** Loads the session, and again for each other key. */
export function followSession(): void {
  effect(() => {
    const key = apiKey.value;
    const isMissing = keyRejection.value !== undefined;
    session.value = undefined;
    if (isMissing && key === undefined) return;
    void loadSession();
  });
}
