import type { Client } from "../client.ts";
import { claudeCode } from "./claude-code.ts";
import { codex } from "./codex.ts";
import { codingAgentClients } from "./coding-agents.ts";
import { python } from "./python.ts";

/** The clients that are programs or Python packages. */
export const programs: readonly Client[] = [...python, codex, claudeCode, ...codingAgentClients];
