import { effect, signal } from "@preact/signals";
import type { Session } from "../../../gateway/src/admin/contract/session.ts";
import { messageOf, RequestError, requestJson } from "../api/request.ts";
import { apiKey, keyRejection } from "./key.ts";

/** The user's permissions; undefined until received. */
export const session = signal<Session | undefined>(undefined);

/** Whether the admin API is enabled; without it, only the chat is available. */
export const hasAdminApi = signal(true);

/** Why there is no session, other than a missing key. */
export const sessionError = signal<string | undefined>(undefined);

const RETRY_MS = 3000;

let retry: ReturnType<typeof setTimeout> | undefined;

async function loadSession(): Promise<void> {
  clearTimeout(retry);
  const key = apiKey.value;
  try {
    const loaded = await requestJson<Session>("admin/session").catch((error: unknown) => {
      if (error instanceof RequestError && error.status === 404) return undefined;
      throw error;
    });
    if (key !== apiKey.value) return;
    hasAdminApi.value = loaded !== undefined;
    session.value = loaded ?? withoutAdminApi(key);
    sessionError.value = undefined;
  } catch (error) {
    if (keyRejection.value !== undefined || key !== apiKey.value) return;
    sessionError.value = messageOf(error);
    retry = setTimeout(() => void loadSession(), RETRY_MS);
  }
}

/** The session for a gateway without the admin API; the first request shows whether it needs a key. */
function withoutAdminApi(key: string | undefined): Session {
  const now = new Date().toISOString();
  return {
    keys_configured: key !== undefined,
    key: null,
    rights: { admin: false },
    version: "",
    log_text: false,
    started_at: now,
    now,
  };
}

/** Loads the session, and reloads it when the key changes. */
export function followSession(): void {
  effect(() => {
    const key = apiKey.value;
    const isMissing = keyRejection.value !== undefined;
    session.value = undefined;
    if (isMissing && key === undefined) return;
    void loadSession();
  });
}
