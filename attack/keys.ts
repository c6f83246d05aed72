import { newKey } from "../gateway/src/auth/api-keys.ts";

/** How many keys with a small budget there are: each round of a scenario takes a fresh one. */
const BUDGETS = 40;

/** Tokens a minute of each of them. */
export const BUDGET_TOKENS = 200;

const fields = {
  /** The innocent client's. */
  innocent: [],
  /** What most attacks are sent with: an ordinary key. */
  attacker: [],
  /** Another ordinary one, for those who must not notice the attacker. */
  bystander: [],
  admin: ["admin"],
  /** May send ten requests a minute. */
  few: ["requests=10"],
  expired: ["expires=2020-01-31"],
  valid: ["expires=2099-12-31"],
  disabled: ["disabled"],
  /** Of a network for documentation, where no client is. */
  elsewhere: ["from=203.0.113.0/24"],
  embedOnly: ["routes=/v1/embeddings,/api/embed"],
  /** Can be used up in a day, and in a month. */
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
    this.lines = all.map(([name, own]) => {
      const { key, line } = newKey(name, own);
      this.#secrets.set(name, key);
      return line;
    });
  }

  secret(name: KeyName): string {
    const secret = this.#secrets.get(name);
    if (secret === undefined) throw new Error(`there is no key ${name}`);
    return secret;
  }

  /** A key with a budget that no earlier call has returned, until they begin again. */
  #next = 0;
  budget(): Budget {
    const name: Budget = `budget${this.#next % BUDGETS}`;
    this.#next += 1;
    return name;
  }

  /** All of them, to look for where none may be. */
  get secrets(): readonly string[] {
    return [...this.#secrets.values()];
  }
}
