// What a chat is made of.

/** What a response took, as the gateway and the browser's clock tell. */
export interface ResponseStats {
  /** From the request to the first piece of text or thinking. */
  readonly firstTokenMs?: number;
  readonly totalMs: number;
  readonly promptTokens?: number;
  readonly generatedTokens?: number;
  /** Of the generation alone. */
  readonly tokensPerSecond?: number;
}

export interface ChatMessage {
  readonly role: "user" | "assistant";
  readonly text: string;
  readonly thinking?: string;
  /** Data URLs. */
  readonly images?: readonly string[];
  /** The model that wrote it. */
  readonly model?: string;
  readonly state?: "streaming" | "complete" | "stopped" | "failed";
  readonly error?: { readonly message: string; readonly requestId?: string };
  /** Why the model ended, where it was cut. */
  readonly isCut?: boolean;
  readonly stats?: ResponseStats;
}

export interface Conversation {
  readonly id: string;
  /** When it was last changed, in milliseconds since 1970. */
  readonly changedAt: number;
  readonly messages: readonly ChatMessage[];
}

export const thinkingLevels = ["default", "none", "low", "medium", "high"] as const;

/** What is sent with each request; an empty text leaves the parameter out. */
export interface ChatSettings {
  readonly model: string;
  readonly system: string;
  readonly thinking: (typeof thinkingLevels)[number];
  readonly temperature: string;
  readonly topP: string;
  readonly maxTokens: string;
  readonly seed: string;
  readonly stop: string;
}

export const defaultSettings: ChatSettings = {
  model: "",
  system: "",
  thinking: "default",
  temperature: "",
  topP: "",
  maxTokens: "",
  seed: "",
  stop: "",
};

/** The first words of a chat. */
export function titleOf({ messages }: Conversation): string {
  const text = messages[0]?.text.trim().replaceAll(/\s+/g, " ") ?? "";
  if (text === "") return messages[0]?.images === undefined ? "New chat" : "Images";
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
