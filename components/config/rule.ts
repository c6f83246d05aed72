import type { GivenConfig } from "./keys.ts";

/** What is allowed of a key depends on others. */
export interface Rule {
  /** Whether a config breaks it. */
  readonly breaks: (config: GivenConfig) => boolean;
  /** The key that is to be changed, and what inside it. */
  readonly path: keyof GivenConfig;
  readonly inside?: string;
  /** Completes the sentence "KEY is VALUE, but must be ...". */
  readonly message: string;
  /** Whether no value is allowed, so that the key has to be removed. */
  readonly toRemove?: boolean;
}
