import type { KeyUsage } from "./key-usage.ts";

/** The limits of a key; undefined: there is none. */
export interface SharedLimits {
  /** By which all gateways know the consumer. */
  readonly name: string;
  readonly requestsPerMinute: number | undefined;
  readonly tokensPerMinute: number | undefined;
  readonly tokensPerDay: number | undefined;
  readonly tokensPerMonth: number | undefined;
  /** Infinity: there is none. */
  readonly concurrent: number;
}

/** What a request takes of its key's limits. */
export interface Demand {
  readonly requests: number;
  /** It is under way from now on. */
  readonly enters?: boolean;
  /** Tokens that are set aside: its prompt, and its response at most. */
  readonly tokens?: { readonly prompt: number; readonly output: number };
}

export type SharedLimit = "concurrent" | "requests" | "tokens" | "day" | "month";

/** What became of a demand. */
export interface Taken {
  /** The limit that refuses it; nothing was taken then. */
  readonly refused: SharedLimit | undefined;
  /** Tokens that were set aside. */
  readonly reserved: number;
}

/** What an ended request has used. */
export interface UsageChange {
  readonly tokens?: number;
  /** Tokens set aside. */
  readonly reserved?: number;
}

/** What all gateways of a stack have counted of their keys. */
export interface SharedUsage {
  readonly isUp: boolean;
  /** A key has these limits from now on, and has used so much as far as this gateway knows. */
  know(limits: SharedLimits, usage: KeyUsage): void;
  /** Takes all of it or nothing, and has `usage` show what all gateways have counted. Undefined: the store is away. */
  take(limits: SharedLimits, usage: KeyUsage, demand: Demand): Promise<Taken | undefined>;
  /** Counts what a request has used, and that it has left where `usage` has counted that. */
  add(limits: SharedLimits, usage: KeyUsage, change: UsageChange): void;
}
