import type { ParsedConfig } from "./keys.ts";

/** A rule that involves several keys. */
export interface Rule {
  /** Whether a config breaks it. */
  readonly breaks: (config: ParsedConfig) => boolean;
  /** The key that must be changed, and the entry inside it. */
  readonly path: keyof ParsedConfig;
  readonly inside?: string;
  /** Completes the sentence "KEY is VALUE, but must be ...". */
  readonly message: string;
  /** Whether no value is allowed, so that the key must be removed. */
  readonly toRemove?: boolean;
}
