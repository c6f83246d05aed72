import type { ChatMessage, ChatSettings } from "./conversation.ts";

type Part =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image_url"; readonly image_url: { readonly url: string } };

interface SentMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string | readonly Part[];
}

/** The body of a request to /v1/chat/completions. */
export interface ChatBody {
  readonly model: string;
  readonly messages: readonly SentMessage[];
  readonly temperature?: number;
  readonly top_p?: number;
  readonly max_tokens?: number;
  readonly seed?: number;
  readonly stop?: string;
  readonly reasoning_effort?: string;
  readonly stream?: boolean;
  readonly stream_options?: { readonly include_usage: boolean };
}

/** The request body for a chat, without streaming options. Omits messages without text, such as failed ones. */
export function chatBody(settings: ChatSettings, messages: readonly ChatMessage[]): ChatBody {
  const sent = messages.flatMap((message) => sentMessage(message) ?? []);
  const { system, stop, thinking } = settings;
  return {
    model: settings.model,
    messages: system.trim() === "" ? sent : [{ role: "system", content: system }, ...sent],
    ...number("temperature", settings.temperature),
    ...number("top_p", settings.topP),
    ...number("max_tokens", settings.maxTokens),
    ...number("seed", settings.seed),
    ...(stop === "" ? {} : { stop }),
    ...(thinking === "default" ? {} : { reasoning_effort: thinking }),
  };
}

function sentMessage({ role, text, images }: ChatMessage): SentMessage | undefined {
  if (images === undefined || images.length === 0) return text === "" ? undefined : { role, content: text };
  const parts = images.map((url): Part => ({ type: "image_url", image_url: { url } }));
  return { role, content: text === "" ? parts : [{ type: "text", text }, ...parts] };
}

function number(name: string, text: string): object {
  const value = Number(text.trim());
  return text.trim() === "" || !Number.isFinite(value) ? {} : { [name]: value };
}
