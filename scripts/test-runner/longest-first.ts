// The slowest end-to-end tests with their hooks, longest first: started last, one would leave the other cores idle at the
// end. vitest prints a file's duration behind its name.
export const longestTests = [
  "remote-engine",
  "upgrade",
  "life",
  "model-volumes",
  "replicas",
  "models",
  "keys",
  "engine-restart",
  "environments",
  "interrupted",
  "drift",
  "properties",
  "bad-input",
  "monitoring",
  "secrets",
].map((name) => `tests/e2e/${name}.test.ts`);

/** Sorts test files into the order in which they should start. */
export function longestFirst(files: readonly string[]): string[] {
  const rank = (file: string) =>
    longestTests.includes(file) ? longestTests.indexOf(file) : longestTests.length;
  return files.toSorted((left, right) => rank(left) - rank(right));
}
