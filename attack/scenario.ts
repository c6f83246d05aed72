import type { Random } from "./random.ts";
import type { Stacks } from "./stacks.ts";
import type { Target } from "./target.ts";

/** The kinds of harm, by their number in the reports. */
export const sections = {
  1: "Requests that crash Ollama",
  2: "Requests that stall or kill the gateway",
  3: "The edge",
  4: "Keys that fail open",
  5: "Web pages against local services",
  6: "Limits that can be evaded",
  7: "Keys a team can live with",
} as const;
export type Section = keyof typeof sections;

export interface Scenario {
  readonly section: Section;
  /** Describes the attack; unique. */
  readonly name: string;
  /** The expected outcome, besides that no container restarts and no other client is affected. */
  readonly expected: string;
  /** Runs a slow scenario in every n-th round only; 1 by default. */
  readonly everyRounds?: number;
  readonly run: (attack: Attack) => Promise<void>;
}

/** A scenario that breaks containers on purpose. They may restart, and no innocent client runs meanwhile. */
export interface FaultScenario extends Scenario {
  /** The containers that it breaks. */
  readonly breaks: (stacks: Stacks) => readonly string[];
}

/** The context of a scenario, which also collects its results. */
export interface Attack {
  /** Two gateways and two Ollama servers behind an edge with TLS. */
  readonly edge: Target;
  /** A gateway and an Ollama server whose ports are published. */
  readonly direct: Target;
  readonly random: Random;
  /** From 0. */
  readonly round: number;
  /** Aborted when the campaign is interrupted. */
  readonly signal: AbortSignal;
  /** Counts sent requests or connections. */
  readonly countTries: (count?: number) => void;
  /** Records an unexpected result; the scenario continues. */
  readonly reportProblem: (problem: string) => void;
}

/** Runs `work` for each value, with limited concurrency. */
export async function forEachConcurrently<T>(
  values: readonly T[],
  concurrency: number,
  work: (value: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < values.length) {
      const index = next;
      next += 1;
      await work(values[index] as T, index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, values.length) }, worker));
}

/** The integers from 0 to `count - 1`. */
export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
