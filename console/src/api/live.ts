import { signal } from "@preact/signals";
import type { Overview } from "../../../gateway/src/admin/contract/overview.ts";
import type { FinishedRequest } from "../../../gateway/src/admin/contract/requests.ts";
import { readServerSentEvents } from "../lib/sse.ts";
import { keyRejection } from "../session/key.ts";
import { messageOf, request } from "./request.ts";

/** The gateway's current state; undefined until received. */
export const overview = signal<Overview | undefined>(undefined);

/** Whether `overview` is up to date, and if not, why. */
export const connection = signal<{ readonly isLive: boolean; readonly error?: string }>({ isLive: false });

/** Number of times that the gateway skipped finished requests, because too many ended at once. */
export const skips = signal(0);

/** Called for each finished request. */
const listeners = new Set<(finished: FinishedRequest) => void>();

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5000;

// Comments arrive every 15 s. Browsers do not detect a dead connection by themselves.
const SILENCE_MS = 40_000;

let followers = 0;
let running: AbortController | undefined;

/** Follows the gateway's events while the page is visible; returns a function that stops. */
export function followEvents(onFinished?: (finished: FinishedRequest) => void): () => void {
  followers++;
  if (onFinished !== undefined) listeners.add(onFinished);
  update();
  return () => {
    followers--;
    if (onFinished !== undefined) listeners.delete(onFinished);
    // The next page may follow events as well.
    setTimeout(update);
  };
}

// Hidden pages cause no load.
document.addEventListener("visibilitychange", update);

function update(): void {
  const isNeeded = followers > 0 && document.visibilityState === "visible";
  if (isNeeded === (running !== undefined)) return;
  if (isNeeded) {
    running = new AbortController();
    void run(running.signal);
    return;
  }
  running?.abort();
  running = undefined;
  connection.value = { isLive: false };
}

async function run(signal: AbortSignal): Promise<void> {
  let pauseMs = FIRST_PAUSE_MS;
  const isOver = (): boolean => signal.aborted || keyRejection.value !== undefined;
  while (!isOver()) {
    const error = await readEvents(signal, () => {
      pauseMs = FIRST_PAUSE_MS;
    }).then(() => "The gateway closed the connection.", messageOf);
    // Signing in starts over.
    if (isOver()) return;
    connection.value = { isLive: false, error };
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

async function readEvents(signal: AbortSignal, onEvent: () => void): Promise<void> {
  const silence = new AbortController();
  let timer = setTimeout(onSilence, SILENCE_MS);
  function onSilence(): void {
    silence.abort(new Error("The gateway stopped sending events."));
  }
  try {
    const response = await request("admin/events", { signal: AbortSignal.any([signal, silence.signal]) });
    if (response.body === null) throw new Error("The gateway sends no events.");
    const watched = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(piece, controller) {
          clearTimeout(timer);
          timer = setTimeout(onSilence, SILENCE_MS);
          controller.enqueue(piece);
        },
      }),
    );
    for await (const { event, data } of readServerSentEvents(watched)) {
      onEvent();
      if (event === "overview") {
        overview.value = JSON.parse(data) as Overview;
        connection.value = { isLive: true };
      } else if (event === "request") {
        const finished = JSON.parse(data) as FinishedRequest;
        for (const listener of listeners) listener(finished);
      } else if (event === "skipped") {
        skips.value++;
      }
    }
  } finally {
    clearTimeout(timer);
  }
}
