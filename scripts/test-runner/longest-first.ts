// The end-to-end tests that take longest, the longest first: one that began last would leave the other cores idle at the
// end. npm test prints how long its slowest files took.
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

/** Test files in the order in which they should begin. */
export function longestFirst(files: readonly string[]): string[] {
  const rank = (file: string) =>
    longestTests.includes(file) ? longestTests.indexOf(file) : longestTests.length;
  return files.toSorted((left, right) => rank(left) - rank(right));
}
