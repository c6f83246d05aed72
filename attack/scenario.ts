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
  /** What is attacked with what, unique. */
  readonly name: string;
  /** The expected outcome, besides that no container restarts and no other client is affected. */
  readonly expected: string;
  /** What takes long runs in the first of so many rounds; in each by default. */
  readonly everyRounds?: number;
  readonly run: (attack: Attack) => Promise<void>;
}

/** A scenario that breaks something itself: its containers may restart, and no innocent client is there meanwhile. */
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
  /** Counts requests or connections that were sent. */
  readonly tried: (count?: number) => void;
  /** Reports something that must not be; the scenario goes on. */
  readonly found: (problem: string) => void;
}

/** Runs work for each value, so many at once. */
export async function each<T>(
  values: readonly T[],
  atOnce: number,
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
  await Promise.all(Array.from({ length: Math.min(atOnce, values.length) }, worker));
}

/** The numbers from 0 on, so many. */
export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
