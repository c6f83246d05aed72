import { SetupError } from "../host/exec.ts";
import { sections } from "./scenario.ts";

/** The parsed command line. */
interface RawOptions {
  readonly minutes?: string;
  readonly only?: string;
  readonly seed?: string;
}

export interface Options {
  /** No round starts after this time. */
  readonly minutes: number;
  /** The sections whose scenarios run. */
  readonly only: readonly number[];
  /** Seeds the random choices of all rounds. */
  readonly seed: number;
}

/** @throws SetupError if an option has an invalid value */
export function readOptions({ minutes, only, seed }: RawOptions): Options {
  return {
    minutes:
      number("minutes", minutes, (value) => value <= 24 * 60, "a number of minutes from 0 to 1440") ?? 20,
    only: sectionsOf(only),
    seed: number("seed", seed, Number.isSafeInteger, "a whole number") ?? Date.now() % 1_000_000,
  };
}

function number(
  name: string,
  text: string | undefined,
  isAllowed: (value: number) => boolean,
  description: string,
): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+(\.\d+)?$/.test(text) || !isAllowed(Number(text)))
    throw new SetupError(`--${name} is ${text}, but must be ${description}`);
  return Number(text);
}

function sectionsOf(text: string | undefined): readonly number[] {
  const all = Object.keys(sections);
  const chosen = text?.split(",") ?? all;
  if (!chosen.every((section) => all.includes(section)))
    throw new SetupError(`--only is ${text ?? ""}, but must be sections from 1 to 7, such as 3 or 1,2`);
  return chosen.map(Number);
}
