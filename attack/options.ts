import { parseArgs } from "node:util";
import { SetupError } from "../host/exec.ts";
import { sections } from "./scenario.ts";

export interface Options {
  /** Rounds start as long as this much time has not passed. */
  readonly minutes: number;
  /** The sections whose scenarios run. */
  readonly only: readonly number[];
  /** What the random choices are made from; a round's seed is this plus its number. */
  readonly seed: number;
  /** Whether the report goes into RESULTS.md, too. */
  readonly write: boolean;
  readonly help: boolean;
}

export const usage = `usage: npm run attack -- [--minutes N] [--only SECTION,...] [--seed N] [--write]

Brings up two stacks of its own, attacks them on loopback for N minutes (20) while an innocent client uses each, and
takes them down again. Every scenario runs once at least. Exit code 1: a scenario failed or a container restarted.

  --minutes N      start rounds of scenarios for so long
  --only SECTIONS  run the scenarios of some sections, such as 3 or 1,2
  --seed N         repeat the random choices of an earlier run
  --write          write the report to attack/RESULTS.md as well`;

/** @throws SetupError for an option that is unknown or has a value that is not allowed */
export function readOptions(args: readonly string[]): Options {
  const { values } = parse(args);
  const number = (name: "minutes" | "seed", allowed: (value: number) => boolean, words: string) => {
    const text = values[name];
    if (text === undefined) return undefined;
    if (!/^\d+(\.\d+)?$/.test(text) || !allowed(Number(text)))
      throw new SetupError(`--${name} is ${text}, but must be ${words}`);
    return Number(text);
  };
  return {
    minutes: number("minutes", (value) => value <= 24 * 60, "a number of minutes from 0 to 1440") ?? 20,
    only: sectionsOf(values.only),
    seed: number("seed", Number.isSafeInteger, "a whole number") ?? Date.now() % 1_000_000,
    write: values.write,
    help: values.help,
  };
}

function sectionsOf(text: string | undefined): readonly number[] {
  const all = Object.keys(sections);
  const chosen = text?.split(",") ?? all;
  if (!chosen.every((section) => all.includes(section)))
    throw new SetupError(`--only is ${text ?? ""}, but must be sections from 1 to 7, such as 3 or 1,2`);
  return chosen.map(Number);
}

function parse(args: readonly string[]) {
  const flag = { type: "boolean", default: false } as const;
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      args: [...args],
      options: { minutes: text, only: text, seed: text, write: flag, help: flag },
    });
  } catch (error) {
    throw new SetupError(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
  }
}
