import { SetupError } from "../host/exec.ts";

/** The parsed command line. */
export interface BenchOptions {
  readonly quick?: boolean;
  readonly only?: string;
  readonly before?: string;
  readonly rounds?: string;
  readonly seconds?: string;
  readonly write?: boolean;
  readonly seed?: string;
}

/** Parses the value of an option. @throws SetupError unless it is above 0 */
export function positive(option: string, text: string): number {
  const number = Number(text);
  if (!(number > 0)) throw new SetupError(`--${option} ${text}: it must be a number above 0`);
  return number;
}
