import { signal } from "@preact/signals";
import { messageOf, request, RequestError } from "../api/request.ts";
import { readServerSentEvents } from "../lib/sse.ts";
import { CompletionCollector } from "./completion-stream.ts";
import type { ChatMessage } from "./conversation.ts";
import { chatBody } from "./request-body.ts";
import { changeLastMessage, chatSettings, current, setMessages } from "./store.ts";

/** Aborts the streaming response; undefined if there is none. */
const running = signal<AbortController | undefined>(undefined);

export const isRunning = (): boolean => running.value !== undefined;

export function stop(): void {
  running.value?.abort();
}

/** Sends a message. */
export function send(text: string, images: readonly string[]): void {
  const message: ChatMessage = { role: "user", text, ...(images.length === 0 ? {} : { images }) };
  void respond([...(current.value?.messages ?? []), message]);
}

/** Regenerates a response. */
export function retry(index: number): void {
  void respond((current.value?.messages ?? []).slice(0, index));
}

async function respond(messages: readonly ChatMessage[]): Promise<void> {
  if (isRunning()) return;
  const settings = chatSettings.value;
  const abort = new AbortController();
  running.value = abort;
  const id = setMessages([
    ...messages,
    { role: "assistant", text: "", model: settings.model, state: "streaming" },
  ]);
  const collector = new CompletionCollector(() => performance.now());
  let frame = 0;
  const show = () => {
    frame = 0;
    const { text, thinking } = collector.completion;
    changeLastMessage(id, { text, thinking });
  };
  let outcome: Partial<ChatMessage>;
  try {
    const response = await request("v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        ...chatBody(settings, messages),
        stream: true,
        stream_options: { include_usage: true },
      }),
      signal: abort.signal,
    });
    if (response.body === null) throw new Error("The response has no body.");
    const requestId = response.headers.get("x-request-id") ?? undefined;
    for await (const event of readServerSentEvents(response.body)) {
      collector.add(event);
      // At most once per frame.
      if (frame === 0) frame = requestAnimationFrame(show);
    }
    outcome = endOf(collector, requestId);
  } catch (error) {
    outcome = abort.signal.aborted
      ? { state: "stopped" }
      : failed(
          error instanceof RequestError ? error.message : describeStreamError(error),
          error instanceof RequestError ? error.requestId : undefined,
        );
  } finally {
    cancelAnimationFrame(frame);
    running.value = undefined;
  }
  const { text, thinking, isCut } = collector.completion;
  changeLastMessage(id, {
    text,
    thinking,
    state: "complete",
    ...(isCut ? { isCut } : {}),
    stats: collector.stats,
    ...outcome,
  });
}

function endOf(collector: CompletionCollector, requestId: string | undefined): Partial<ChatMessage> {
  const { error, isComplete } = collector.completion;
  if (error !== undefined) return failed(error, requestId);
  return isComplete ? {} : failed("The response ended before it was complete.", requestId);
}

function failed(message: string, requestId: string | undefined): Partial<ChatMessage> {
  return { state: "failed", error: { message, ...(requestId === undefined ? {} : { requestId }) } };
}

function describeStreamError(error: unknown): string {
  return error instanceof TypeError ? "The connection to the gateway was lost." : messageOf(error);
}
