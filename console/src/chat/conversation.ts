/** Timing and token counts of a response. */
export interface ResponseStats {
  /** Time to the first text or thinking. */
  readonly firstTokenMs?: number;
  readonly totalMs: number;
  readonly promptTokens?: number;
  readonly generatedTokens?: number;
  /** Of generation only. */
  readonly tokensPerSecond?: number;
}

export interface ChatMessage {
  readonly role: "user" | "assistant";
  readonly text: string;
  readonly thinking?: string;
  /** Data URLs. */
  readonly images?: readonly string[];
  /** The model that generated it. */
  readonly model?: string;
  readonly state?: "streaming" | "complete" | "stopped" | "failed";
  readonly error?: { readonly message: string; readonly requestId?: string };
  /** Whether a token limit ended it. */
  readonly isCut?: boolean;
  readonly stats?: ResponseStats;
}

export interface Conversation {
  readonly id: string;
  /** Unix time in milliseconds of the last change. */
  readonly changedAt: number;
  readonly messages: readonly ChatMessage[];
}

export const thinkingLevels = ["default", "none", "low", "medium", "high"] as const;

/** Parameters of each request; empty ones are omitted. */
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

/** Uses the beginning of the first message. */
export function titleOf({ messages }: Conversation): string {
  const text = messages[0]?.text.trim().replaceAll(/\s+/g, " ") ?? "";
  if (text === "") return messages[0]?.images === undefined ? "New chat" : "Images";
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
