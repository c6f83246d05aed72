/** How long something takes or took, for people: "8 s", "3 min 20 s". */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  return minutes === 0 ? `${whole} s` : `${minutes} min ${whole % 60} s`;
}

const tickMs = 10_000;
const lineLength = 100;

/** Receives what a step's tools print, a line at a time. */
export type Report = (line: string) => void;

/**
 * Does a step and says so: how long it should take, every ten seconds how long it has been at it and the last line of
 * what it runs, at the end how long it took. Lines, not cursor movements: they read the same in a CI log.
 */
export async function step<T>(
  title: string,
  expectedSeconds: number,
  work: (report: Report) => Promise<T>,
): Promise<T> {
  const began = Date.now();
  const elapsed = () => duration((Date.now() - began) / 1000);
  let last = "";
  say(`${title} ... (about ${duration(expectedSeconds)})`);
  const ticker = setInterval(() => {
    say(`  ${title}: ${elapsed()}${last === "" ? "" : `, ${last}`}`);
  }, tickMs);
  try {
    const result = await work((line) => {
      if (line.trim() !== "") last = line.trim().slice(0, lineLength);
    });
    say(`  ${title}: done in ${elapsed()}`);
    return result;
  } finally {
    clearInterval(ticker);
  }
}

/** What the set-up has to say goes to stderr: stdout belongs to the command it is done for. */
export function say(line: string): void {
  console.error(line);
}
