import type { Client } from "../client.ts";
import { aiSdk } from "./ai-sdk.ts";
import { anthropic } from "./anthropic.ts";
import { curl } from "./curl.ts";
import { langchain } from "./langchain.ts";
import { ollama } from "./ollama.ts";
import { openaiAgents } from "./openai-agents.ts";
import { openaiChat } from "./openai-chat.ts";
import { openaiResponses } from "./openai-responses.ts";

/** The clients that are npm packages, and hand-written requests. */
export const packages: readonly Client[] = [
  openaiChat,
  openaiResponses,
  anthropic,
  ollama,
  ...aiSdk,
  ...langchain,
  ...openaiAgents,
  curl,
];
