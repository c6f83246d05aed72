import type { KeyDefinition } from "./api-keys.ts";
import type { KeyUsage } from "./key-usage.ts";

/** Limits of a key, and the name that identifies its consumer to all gateways. */
export type SharedLimits = Pick<
  KeyDefinition,
  "name" | "requestsPerMinute" | "tokensPerMinute" | "tokensPerDay" | "tokensPerMonth" | "concurrent"
>;

/** What a request needs from its key's limits. */
export interface Demand {
  readonly requests: number;
  /** Whether it counts as in flight from now on. */
  readonly enters?: boolean;
  /** Tokens to reserve, for the prompt and at most for the response. */
  readonly tokens?: { readonly prompt: number; readonly output: number };
}

export type SharedLimit = "concurrent" | "requests" | "tokens" | "day" | "month";

/** Result of a demand. */
export interface TakeResult {
  /** The limit that rejects it, so that nothing was taken; undefined if it was granted. */
  readonly rejectedBy: SharedLimit | undefined;
  /** Number of tokens reserved. */
  readonly reserved: number;
}

/** Usage of a finished request. */
export interface UsageChange {
  readonly tokens?: number;
  /** Change of the reserved tokens. */
  readonly reserved?: number;
}

/** Usage of keys counted across all gateways of a stack. */
export interface SharedUsage {
  readonly isUp: boolean;
  /** Registers a key's limits, and the usage that this gateway knows of. */
  register(limits: SharedLimits, usage: KeyUsage): void;
  /**
   * Takes all of the demand or nothing, and updates `usage` with the counts of all gateways. Resolves to undefined if
   * the store is unreachable.
   */
  take(limits: SharedLimits, usage: KeyUsage, demand: Demand): Promise<TakeResult | undefined>;
  /** Adds usage of a request, and marks it as finished if `usage` no longer counts it. */
  add(limits: SharedLimits, usage: KeyUsage, change: UsageChange): void;
}
