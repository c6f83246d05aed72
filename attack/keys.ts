import { newKey } from "../gateway/src/auth/api-keys.ts";

/** Number of keys with a small budget; each round of a scenario uses another one. */
const BUDGETS = 40;

/** Tokens per minute of each of these keys. */
export const BUDGET_TOKENS = 200;

const fields = {
  /** Used by the innocent client. */
  innocent: [],
  /** An ordinary key, used by most attacks. */
  attacker: [],
  /** Another ordinary key, for clients that the attacker must not affect. */
  bystander: [],
  admin: ["admin"],
  /** Limited to ten requests a minute. */
  few: ["requests=10"],
  expired: ["expires=2020-01-31"],
  valid: ["expires=2099-12-31"],
  disabled: ["disabled"],
  /** Restricted to a documentation network, which has no clients. */
  elsewhere: ["from=203.0.113.0/24"],
  embedOnly: ["routes=/v1/embeddings,/api/embed"],
  /** With a small budget per day and per month. */
  daily: ["tokens_per_day=20"],
  monthly: ["tokens_per_month=20"],
} as const satisfies Record<string, readonly string[]>;

type Budget = `budget${number}`;
export type KeyName = keyof typeof fields | Budget;

/** The keys of both stacks. */
export class Keys {
  readonly lines: readonly string[];
  readonly #secrets = new Map<string, string>();

  constructor() {
    const budgets = Array.from({ length: BUDGETS }, (_, index) => [
      `budget${index}`,
      [`tokens=${BUDGET_TOKENS}`],
    ]);
    const all = [...Object.entries(fields), ...budgets] as [string, readonly string[]][];
    this.lines = all.map(([name, flags]) => {
      const { key, line } = newKey(name, flags);
      this.#secrets.set(name, key);
      return line;
    });
  }

  secret(name: KeyName): string {
    const secret = this.#secrets.get(name);
    if (secret === undefined) throw new Error(`there is no key ${name}`);
    return secret;
  }

  #next = 0;

  /** The next key with a budget; starts over after the last one. */
  budget(): Budget {
    const name: Budget = `budget${this.#next % BUDGETS}`;
    this.#next += 1;
    return name;
  }

  /** All secrets, to search for them in logs. */
  get secrets(): readonly string[] {
    return [...this.#secrets.values()];
  }
}
