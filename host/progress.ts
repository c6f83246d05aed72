/** Formats a duration as "8 s" or "3 min 20 s". */
export function duration(seconds: number): string {
  const rounded = Math.round(seconds);
  const minutes = Math.floor(rounded / 60);
  return minutes === 0 ? `${rounded} s` : `${minutes} min ${rounded % 60} s`;
}

const tickMs = 10_000;
const lineLength = 100;

/** Receives the output of a step's tools, line by line. */
export type Report = (line: string) => void;

/**
 * Runs a step and prints its expected duration, then every ten seconds the elapsed time and the last line of output, and
 * finally the time it took. Prints lines instead of moving the cursor, so that it works in a CI log.
 */
export async function step<T>(
  title: string,
  expectedSeconds: number,
  work: (report: Report) => Promise<T>,
): Promise<T> {
  const began = Date.now();
  const elapsed = () => duration((Date.now() - began) / 1000);
  let last = "";
  printLine(`${title} ... (about ${duration(expectedSeconds)})`);
  const ticker = setInterval(() => {
    printLine(`  ${title}: ${elapsed()}${last === "" ? "" : `, ${last}`}`);
  }, tickMs);
  try {
    const result = await work((line) => {
      if (line.trim() !== "") last = line.trim().slice(0, lineLength);
    });
    printLine(`  ${title}: done in ${elapsed()}`);
    return result;
  } finally {
    clearInterval(ticker);
  }
}

/** Prints a message of the set-up to stderr, because stdout belongs to the command. */
export function printLine(line: string): void {
  console.error(line);
}
