/** What is left of a limit per minute. */
export interface RateState {
  readonly limit: number;
  readonly left: number;
}

/** What has been used of a budget. */
export interface BudgetState {
  /** Undefined: there is none, and nothing is counted. */
  readonly limit: number | undefined;
  readonly used: number;
  readonly resetsAt: Date;
}

/** What a key has left. */
export interface LimitsState {
  readonly requestsPerMinute: RateState | undefined;
  readonly tokensPerMinute: RateState | undefined;
  readonly concurrent: { readonly limit: number; readonly used: number };
  readonly day: BudgetState;
  readonly month: BudgetState;
}
