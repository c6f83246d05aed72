/** State of a per-minute limit. */
export interface RateState {
  readonly limit: number;
  readonly left: number;
}

/** State of a budget. */
interface BudgetState {
  /** Undefined without a budget. */
  readonly limit: number | undefined;
  readonly used: number;
  readonly resetsAt: Date;
}

/** State of all limits of a key. */
export interface LimitsState {
  readonly requestsPerMinute: RateState | undefined;
  readonly tokensPerMinute: RateState | undefined;
  readonly concurrent: { readonly limit: number; readonly used: number };
  readonly day: BudgetState;
  readonly month: BudgetState;
}
