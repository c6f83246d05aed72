// The slowest end-to-end tests, longest first: started last, one would leave the other cores idle at the end. npm test prints
// the durations of its slowest files.
export const longestTests = [
  "interrupted",
  "remote-engine",
  "models",
  "replicas",
  "keys",
  "engine-restart",
  "monitoring",
  "drift",
  "bad-input",
  "properties",
  "environments",
].map((name) => `tests/e2e/${name}.test.ts`);

/** Sorts test files into the order in which they should start. */
export function longestFirst(files: readonly string[]): string[] {
  const rank = (file: string) =>
    longestTests.includes(file) ? longestTests.indexOf(file) : longestTests.length;
  return files.toSorted((left, right) => rank(left) - rank(right));
}
