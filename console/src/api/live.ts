import { signal } from "@preact/signals";
import type { Overview } from "../../../gateway/src/admin/contract/overview.ts";
import type { FinishedRequest } from "../../../gateway/src/admin/contract/requests.ts";
import { readServerSentEvents } from "../lib/sse.ts";
import { keyRejection } from "../session/key.ts";
import { messageOf, request } from "./request.ts";

/** What the gateway does now; undefined until it has said so. */
export const overview = signal<Overview | undefined>(undefined);

/** Whether `overview` is current; an error says why it is not. */
export const connection = signal<{ readonly isLive: boolean; readonly error?: string }>({ isLive: false });

/** Counts the times at which the gateway left out requests that ended, because too many did at once. */
export const skips = signal(0);

/** Called for each request that ends. */
const listeners = new Set<(finished: FinishedRequest) => void>();

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5000;

// Comments come every 15 s. A connection that is silent for longer is dead, which no browser notices by itself.
const SILENCE_MS = 40_000;

let followers = 0;
let running: AbortController | undefined;

/** Follows the gateway's events as long as somebody looks; returns what ends it. */
export function followEvents(onFinished?: (finished: FinishedRequest) => void): () => void {
  followers++;
  if (onFinished !== undefined) listeners.add(onFinished);
  update();
  return () => {
    followers--;
    if (onFinished !== undefined) listeners.delete(onFinished);
    // The next page may look, too.
    setTimeout(update);
  };
}

// A page that nobody sees costs nothing.
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
    // Signing in begins again from the start.
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
    silence.abort(new Error("The gateway has gone silent."));
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
